package e2e

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"
)

// The requests of Grafana's data source of the type Prometheus, as its source has them:
// Grafana itself is not in Debian. "Save & test" sends the first two.
func TestRequestsOfGrafana(t *testing.T) {
	t.Parallel()
	s := serve(t)
	s.post(t, "/write?precision=s", "text/plain", "room,floor=2 temp=21.5 1700000000\nroom,floor=2 temp=22 1700000015\n")
	const form = "application/x-www-form-urlencoded"
	for _, ask := range []struct {
		name, method, path, body string
		want                     string // of the member data, as JSON
	}{
		{"health", "POST", "/api/v1/query", "query=1%2B1&time=1700000020", `{"resultType":"scalar","result":[1700000020,"2"]}`},
		{"instant", "POST", "/api/v1/query", "query=room_temp&time=1700000020", `{"resultType":"vector","result":[{"metric":{"__name__":"room_temp","floor":"2"},"value":[1700000020,"22"]}]}`},
		{"range", "POST", "/api/v1/query_range", "query=room_temp&start=1700000000&end=1700000015&step=15", `{"resultType":"matrix","result":[{"metric":{"__name__":"room_temp","floor":"2"},"values":[[1700000000,"21.5"],[1700000015,"22"]]}]}`},
		{"metrics", "GET", "/api/v1/label/__name__/values?start=1700000000&end=1700000060&limit=40000", "", `["room_temp"]`},
		{"labels", "POST", "/api/v1/labels", "match[]=room_temp&start=1700000000&end=1700000060", `["__name__","floor"]`},
		{"values", "GET", "/api/v1/label/floor/values?match%5B%5D=room_temp&start=1700000000&end=1700000060", "", `["2"]`},
		{"escaped label", "GET", "/api/v1/label/U__floor/values?start=1700000000&end=1700000060", "", `["2"]`},
		{"series", "POST", "/api/v1/series", "match[]=room_temp&start=1700000000&end=1700000060", `[{"__name__":"room_temp","floor":"2"}]`},
		{"metadata", "GET", "/api/v1/metadata", "", `{}`},
		{"exemplars", "POST", "/api/v1/query_exemplars", "query=room_temp&start=1700000000&end=1700000060", `[]`},
		{"rules", "GET", "/api/v1/rules", "", `{"groups":[]}`},
	} {
		answer, err := s.do(t.Context(), ask.method, ask.path, strings.NewReader(ask.body), map[bool]string{true: form}[ask.method == "POST"])
		var got struct {
			Status string
			Data   json.RawMessage
		}
		if err == nil {
			err = json.Unmarshal(answer, &got)
		}
		if err != nil || got.Status != "success" || string(got.Data) != ask.want {
			t.Errorf("%s: %s, want %s: %v", ask.name, got.Data, ask.want, err)
		}
	}
	// A build that names features is taken for Mimir, which is asked for more.
	var build map[string]any
	if err := s.get(t.Context(), "/api/v1/status/buildinfo", url.Values{}, &build); err != nil {
		t.Fatal(err)
	}
	if build["version"] == "" || build["features"] != nil {
		t.Errorf("buildinfo: %v", build)
	}
}
