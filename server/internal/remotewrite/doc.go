// Package remotewrite takes points by Prometheus' remote write, 1.0 and 2.0, at
// POST /api/v1/write.
//
// The messages are read as they come, without structs or strings in between: a series
// that is known costs a look-up by the bytes that name it. In 1.0 these are the bytes of
// its labels. In 2.0 each symbol of a request is looked up once, and a series is known by the
// numbers of its symbols. Only a new series has its labels taken apart. The tables are shared
// by all requests and bounded, see package handles.
//
// # Answers
//
// 204 if everything was stored. Otherwise 400 where sending the same again would not
// help, with the reasons and the number of points for each, while the rest is stored: for
// points that are too old or too far in the future, for labels that no series can have, and
// for native histograms, which are not stored. 429 and 503, with Retry-After, where it would
// help; nothing is stored then. 415 for another message, or an encoding besides snappy, zstd
// and gzip. vmagent drops what is answered with 400, and sends again for ever on most others;
// Prometheus drops all 4xx but 429. Every request may be repeated: a point that is there
// already is written over by itself.
//
// Exemplars are not stored either, but alone they are no reason for a 400. A sender
// would report every request of a series with exemplars as failed, though no sample was
// lost, and vmagent would send each of them twice. Prometheus' own receiver answers the same
// way when it has nowhere to put exemplars. They are counted: in the metrics, in the
// answer's header X-SydraDB-Rejected, and in 2.0 by an Exemplars-Written of 0, which
// Prometheus logs and adds to its counter of failed exemplars. The specification of 2.0 wants
// no 2xx where any known data was not written; taken by the letter that would be an error
// with each request, so this is left aside on purpose.
//
// Answers to 2.0 say in X-Prometheus-Remote-Write-{Samples,Histograms,Exemplars}-Written how
// much was stored, errors included.
//
// Body compression is web's, counting and storing is intake's. The package does not link
// Prometheus; a test elsewhere holds it to Prometheus' own decoder. All of it is safe for
// concurrent use.
package remotewrite
