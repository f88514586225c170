package serve

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/sydradb/sydradb/server/internal/config"
)

// The pages that this test holds to the program.
const (
	manual        = "../../../docs/HTTP.md"
	manualAddress = "http://localhost:8080"
)

// example is a command of the manual with the answer that it shows.
type example struct {
	heading string
	command string
	kind    string // "json" is compared as values, "text" as text
	answer  string
}

var block = regexp.MustCompile("(?ms)^#+ .*?$|^```(\\w+)\n(.*?)\n?^```$")

// readExamples returns the examples of a page. A block of "sh" is followed by its answer.
func readExamples(t *testing.T, page string) (all []example) {
	t.Helper()
	heading, open := "", false
	for _, m := range block.FindAllStringSubmatch(page, -1) {
		switch kind, text := m[1], m[2]; {
		case kind == "":
			heading = strings.TrimLeft(m[0], "# ")
		case kind == "sh":
			if open {
				t.Fatalf("under %q: a command without its answer: %s", heading, all[len(all)-1].command)
			}
			all, open = append(all, example{heading: heading, command: text}), true
		case !open || kind != "json" && kind != "text":
			t.Fatalf("under %q: a block of %q without a command: %s", heading, kind, text)
		default:
			all[len(all)-1].kind, all[len(all)-1].answer = kind, text
			open = false
		}
	}
	if open {
		t.Fatalf("the last command has no answer: %s", all[len(all)-1].command)
	}
	return all
}

// check compares what a command printed with what the manual shows.
func (e *example) check(t *testing.T, got string) {
	t.Helper()
	if e.kind == "text" {
		want := e.answer
		if lines, ok := strings.CutSuffix(want, "\n..."); ok {
			want = lines + "..." // of which there may be none
		}
		if !matches(want, strings.TrimRight(got, "\n")) {
			t.Errorf("%s\nprints\n%s\nwant\n%s", e.command, got, e.answer)
		}
		return
	}
	want, err := decode(e.answer)
	if err != nil {
		t.Fatalf("%s: the answer in the manual is not JSON: %v", e.command, err)
	}
	if have, err := decode(got); err != nil || !alike(want, have) {
		t.Errorf("%s\nprints\n%s\nwant\n%s", e.command, got, e.answer)
	}
}

// decode reads a value of JSON, and keeps all digits of numbers.
func decode(text string) (v any, err error) {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	if err = d.Decode(&v); err == nil && d.More() {
		err = errors.New("there is more than one value")
	}
	return v, err
}

// endpoint is a line of the table of endpoints.
type endpoint struct {
	methods, paths []string
	scope          string
}

var endpointLine = regexp.MustCompile("(?m)^\\| ([A-Z, ]+) \\| (`/[^|]*`) \\| (open|read|write|admin) \\|.*\\|$")

func readEndpoints(page string) (all []endpoint) {
	for _, m := range endpointLine.FindAllStringSubmatch(page, -1) {
		all = append(all, endpoint{strings.Split(m[1], ", "), strings.Split(strings.Trim(m[2], "`"), "`, `"), m[3]})
	}
	return all
}

// The table in the manual is what the server has, and each of its lines has an example.
func checkEndpoints(t *testing.T, page string, asked []string, routes map[string]string) {
	t.Helper()
	described := map[string]string{}
	covered := http.NewServeMux()
	lines := map[string]int{} // path to line
	endpoints := readEndpoints(page)
	for i, e := range endpoints {
		for _, path := range e.paths {
			for _, method := range e.methods {
				described[method+" "+path] = e.scope
			}
			pattern := path
			if path == "/" {
				pattern = "/{$}"
			}
			covered.Handle(pattern, http.NotFoundHandler())
			lines[pattern] = i
		}
	}
	for route, scope := range routes {
		switch have, ok := described[route]; {
		case !ok:
			t.Errorf("%s lacks %s", manual, route)
		case have != scope:
			t.Errorf("%s gives %s the scope %s, it is %s", manual, route, have, scope)
		}
	}
	for route := range described {
		if _, ok := routes[route]; !ok {
			t.Errorf("%s has %s, the server has not", manual, route)
		}
	}
	seen := map[int]bool{}
	for _, target := range asked {
		r, err := http.NewRequest(http.MethodGet, target, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, pattern := covered.Handler(r); pattern != "" {
			seen[lines[pattern]] = true
		}
	}
	for i, e := range endpoints {
		if !seen[i] {
			t.Errorf("%s has no example of %s", manual, e.paths[0])
		}
	}
}

// documentedStatuses returns the statuses that the manual says there are: those of its
// table of errors, and those of success.
func documentedStatuses(t *testing.T, page string) map[int]bool {
	t.Helper()
	all := map[int]bool{}
	for _, m := range regexp.MustCompile(`(?m)^\| (\d{3}) \|`).FindAllStringSubmatch(page, -1) {
		status, err := strconv.Atoi(m[1])
		if err != nil {
			t.Fatal(err)
		}
		all[status] = true
	}
	success := regexp.MustCompile(`success \(([\d, ]+)\)`).FindStringSubmatch(page)
	if success == nil || len(all) < 10 {
		t.Fatalf("%s has no list of the statuses", manual)
	}
	for text := range strings.SplitSeq(success[1], ", ") {
		status, err := strconv.Atoi(text)
		if err != nil {
			t.Fatal(err)
		}
		all[status] = true
	}
	return all
}

// noted is a transport that notes the statuses of answers.
type noted struct{ seen map[int]string }

// RoundTrip implements http.RoundTripper.
func (n *noted) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := http.DefaultTransport.RoundTrip(r)
	if err == nil {
		n.seen[answer.StatusCode] = r.Method + " " + r.URL.Path
	}
	return answer, err
}

// wholeServer starts all parts of a server over a new directory, and returns its address
// and its routes with their scopes.
func wholeServer(t *testing.T) (url string, routes map[string]string) {
	t.Helper()
	cfg := config.Default()
	cfg.DataDir = filepath.Join(t.TempDir(), "data")
	cfg.LogLevel = "error"
	s, err := newServer(cfg, cfg.Options(), t.Output())
	if err != nil {
		t.Fatal(err)
	}
	db, err := s.node.Open()
	if err != nil {
		t.Fatal(err)
	}
	early, err := s.earlyRoutes()
	if err != nil {
		t.Fatal(err)
	}
	groups, err := s.endpoints(db)
	if err != nil {
		t.Fatal(err)
	}
	groups = append(groups, early)
	if err := s.web.Mount(false, groups...); err != nil {
		t.Fatal(err)
	}
	listening := httptest.NewServer(s.web)
	t.Cleanup(func() {
		listening.Close()
		for _, closer := range s.closers {
			if err := closer(); err != nil {
				t.Error(err)
			}
		}
		if err := s.node.Close(); err != nil {
			t.Error(err)
		}
	})
	routes = map[string]string{}
	for _, group := range groups {
		for _, r := range group {
			routes[strings.TrimSuffix(r.Pattern, "{$}")] = r.Scope.String()
		}
	}
	return listening.URL, routes
}

var address = regexp.MustCompile(regexp.QuoteMeta(manualAddress) + `[^ '\n]*`)

// Every example of the manual gets the answer that it shows, of a server that has got the
// examples before it.
func TestManualOfHTTP(t *testing.T) {
	text, err := os.ReadFile(manual)
	if err != nil {
		t.Fatal(err)
	}
	page := string(text)
	examples := readExamples(t, page)
	url, routes := wholeServer(t)
	answers := &noted{map[int]string{}}
	sh := shell{client: &http.Client{Transport: answers}, from: manualAddress, to: url}
	var asked []string
	for _, e := range examples {
		asked = append(asked, address.FindAllString(e.command, -1)...)
		t.Run(e.heading, func(t *testing.T) {
			got, err := sh.run(e.command)
			if err != nil {
				t.Fatalf("%s: %v", e.command, err)
			}
			e.check(t, strings.ReplaceAll(got, url, manualAddress))
		})
	}
	if len(examples) < 40 {
		t.Errorf("only %d examples were found", len(examples))
	}
	checkEndpoints(t, page, asked, routes)
	listed := documentedStatuses(t, page)
	for status, request := range answers.seen {
		if !listed[status] {
			t.Errorf("%s is answered with the status %d, which the manual has not", request, status)
		}
	}
	for _, status := range documented { // all that fuzzing lets pass
		if !listed[status] {
			t.Errorf("%s does not explain the status %d", manual, status)
		}
	}
}
