package influx

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/sydradb/sydradb/server/internal/web"
)

// The one database that is shown, whatever name a client writes to.
const database = "sydradb"

// maxQuery bounds the body of a query, in bytes.
const maxQuery = 64 << 10

// result is that of one statement, as JSON.
type result struct {
	ID     int      `json:"statement_id"`
	Series []series `json:"series,omitempty"`
}

type series struct {
	Name    string   `json:"name"`
	Columns []string `json:"columns"`
	Values  [][]any  `json:"values"`
}

// query answers the statements that clients send before they write, and no others.
func query(w http.ResponseWriter, r *http.Request) {
	introduce(w)
	if r.Body != nil {
		r.Body = http.MaxBytesReader(w, r.Body, maxQuery)
	}
	if err := r.ParseForm(); err != nil {
		var large *http.MaxBytesError
		if !errors.As(err, &large) {
			err = badRequest(err.Error())
		}
		web.Fail(w, r, err)
		return
	}
	text := r.Form.Get("q")
	if text == "" {
		web.Fail(w, r, badRequest(`missing required parameter "q"`))
		return
	}
	var results []result
	for _, statement := range statements(text) {
		res, ok := run(statement)
		if !ok {
			web.Fail(w, r, unsupported(statement))
			return
		}
		res.ID = len(results)
		results = append(results, res)
	}
	web.WriteJSON(w, http.StatusOK, map[string][]result{"results": results})
}

func badRequest(message string) error {
	return &web.Error{Status: http.StatusBadRequest, Code: web.CodeBadRequest, Message: message}
}

func unsupported(statement string) error {
	return badRequest(fmt.Sprintf("InfluxQL is not supported, and this is none of the few statements that are answered: %.64q; "+
		"query with PromQL at /api/v1/query, delete with: sydradb delete", statement))
}

// statements cuts a query at the semicolons outside of quotes.
func statements(text string) (out []string) {
	var quote rune
	from := 0
	for i, c := range text + ";" {
		switch {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == ';':
			if s := strings.TrimSpace(text[from:i]); s != "" {
				out = append(out, s)
			}
			from = i + 1
		}
	}
	if rest := strings.TrimSpace(text[min(from, len(text)):]); rest != "" {
		out = append(out, rest) // an open quote
	}
	return out
}

// run answers one statement; ok is false if it is another one. None changes anything:
// there is one database, and clients may call it what they like.
func run(statement string) (r result, ok bool) {
	words := strings.Fields(statement)
	is := func(want ...string) bool {
		if len(words) < len(want) {
			return false
		}
		for i := range want {
			if !strings.EqualFold(words[i], want[i]) {
				return false
			}
		}
		return true
	}
	switch {
	case is("CREATE", "DATABASE") && len(words) > 2:
		return result{}, true
	case is("DROP", "DATABASE") && len(words) > 2:
		// Dropping one that is not there is no error, and changes nothing. The one that is
		// there is not dropped.
		return result{}, !strings.EqualFold(strings.Trim(words[2], `"`), database)
	case is("SHOW", "DATABASES") && len(words) == 2:
		return result{Series: []series{{Name: "databases", Columns: []string{"name"}, Values: [][]any{{database}}}}}, true
	case is("SHOW", "RETENTION", "POLICIES"):
		return result{Series: []series{{
			Name:    "policies",
			Columns: []string{"name", "duration", "shardGroupDuration", "replicaN", "default"},
			Values:  [][]any{{"autogen", "0s", "168h0m0s", 1, true}},
		}}}, true
	}
	return result{}, false
}
