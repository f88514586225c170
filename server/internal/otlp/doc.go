// Package otlp takes metrics of OpenTelemetry by OTLP over HTTP, at POST /v1/metrics and
// POST /api/v1/otlp/v1/metrics, as protocol buffers or as JSON.
//
//	body -> weigh      refuses what would blow up when it is decoded
//	     -> pdata      OpenTelemetry's own decoder
//	     -> screen     takes out, and counts, the data points that cannot be stored
//	     -> Prometheus' converter, with the settings that Prometheus has by default
//	     -> appender   into a request of package intake: one batch
//
// Series get the names and labels that they would have in Prometheus: units and types
// become suffixes, what no name may hold becomes an underscore, service.name and
// service.instance.id become job and instance, and the other attributes of a resource become
// the series target_info. Times are kept to the millisecond.
//
// Not stored are exponential histograms, sums and histograms of delta temporality, which
// would have to be added up across requests, and data points without a time or a value.
// They are counted in the partial_success of the answer, whose rejected_data_points are data
// points of the request; where only some of the series of a histogram are refused, each of
// them counts as one. Exemplars are not stored either; they are counted in the metrics, and
// in the answer's header X-SydraDB-Rejected, but are no reason to speak of a partial success:
// clients would log one with each request.
//
// An answer that is an error holds a Status in the encoding of the request. 400 and 413 are
// for good; after 429 and 503, which have a Retry-After, sending again makes sense, and
// nothing of the request is stored.
//
// This package links Prometheus. All of it is safe for concurrent use.
package otlp
