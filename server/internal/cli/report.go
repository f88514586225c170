package cli

import (
	"fmt"
	"io"
	"path/filepath"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/schollz/progressbar/v3"

	"github.com/sydradb/sydradb/server/internal/ingest"
	"github.com/sydradb/sydradb/server/internal/render"
)

// ingestReport tells the user how an ingest goes: with a bar on a terminal, with a
// line for each chunk elsewhere.
type ingestReport struct {
	app *App

	mu     sync.Mutex
	bar    *progressbar.ProgressBar // nil where there is no terminal
	layout barLayout
	input  *ingest.Input
	show   int // so many more refused lines are shown
	hidden int // refused lines that were neither shown nor counted in a message
}

func newIngestReport(a *App, show int) *ingestReport {
	r := &ingestReport{app: a, show: show}
	if isTerminal(a.Err) {
		r.layout = newBarLayout(a.width(a.Err))
		r.bar = r.layout.newBar(a.Err, a.color(a.Err))
	}
	return r
}

// begin starts the bar of the next input.
func (r *ingestReport) begin(in *ingest.Input) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.input = in
	if r.bar != nil {
		r.bar.Reset()
		r.bar.ChangeMax64(in.Size)
		r.bar.Describe(r.layout.describe(in.Name, 0))
	}
}

// committed follows a chunk that was acknowledged.
func (r *ingestReport) committed(p ingest.Progress) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.bar == nil {
		r.sayHidden()
		r.app.say("committed %d points (%d rejected), line %d", p.Points, p.Refused, p.Lines)
		return
	}
	r.bar.Describe(r.layout.describe(r.input.Name, p.Points))
	_ = r.bar.Set64(r.input.BytesRead()) // fails only beyond the end of a growing file
}

// refused reports a line that was not taken, or some fields of which were not.
func (r *ingestReport) refused(input string, line int, o ingest.Outcome) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.show == 0 {
		r.hidden++
		return
	}
	r.show--
	if r.bar != nil {
		_ = r.bar.Clear()
	}
	more := ""
	if o.Refused > 1 {
		more = fmt.Sprintf(" (and %s more)", render.Count(o.Refused-1, "field"))
	}
	r.app.say("%s:%d: %v%s", input, line, o.Err, more)
}

// declined reports points that a server did not take.
func (r *ingestReport) declined(d *ingest.DeclinedError) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.bar != nil {
		_ = r.bar.Clear()
	}
	shown := min(r.show, len(d.Why))
	r.show -= shown
	for _, why := range d.Why[:shown] {
		r.app.say("the server refused: %s", why)
	}
	if shown < len(d.Why) || d.Points > len(d.Why) {
		r.app.say("the server refused %s in this chunk", render.Count(d.Points, "point"))
	}
}

// waiting says why a server is waited for.
func (r *ingestReport) waiting(why error, d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.bar != nil {
		_ = r.bar.Clear()
	}
	r.app.say("sydradb: warning: %v; trying again in %s", why, d.Round(time.Second))
}

// flushing takes the place of the bar while the database finishes its work.
func (r *ingestReport) flushing() {
	if r.bar == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	_ = r.bar.Clear()
	_, _ = fmt.Fprint(r.app.Err, flushingText)
}

const flushingText = "flushing ..."

// sayHidden counts the refused lines that were not shown. Requires: r.mu.
func (r *ingestReport) sayHidden() {
	if r.hidden > 0 {
		r.app.say("%s rejected, not shown", render.Count(r.hidden, "more line"))
	}
	r.hidden = 0
}

// finish prints the error and the result, whose last line is the one that programs
// read. It returns what the command shall return.
func (r *ingestReport) finish(p ingest.Progress, err error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.bar != nil { // clear its line
		_, _ = fmt.Fprintf(r.app.Err, "\r%*s\r", len(flushingText), "")
	}
	r.sayHidden()
	if p.Expired > 0 {
		r.app.say("%s of those rejected expired while they were stored", render.Count(p.Expired, "point"))
	}
	if p.Rounded > 0 {
		r.app.say("%s beyond 2^53 rounded to the nearest float", render.Count(p.Rounded, "integer"))
	}
	if err != nil {
		err = &commandError{err}
		r.app.report(err)
	} else if p.Refused > 0 {
		err = silent(ExitRefused)
	}
	r.app.say("ingested %d points (%d rejected)", p.Points, p.Refused)
	if err != nil {
		return silent(exitCode(err))
	}
	return nil
}

// barLayout says what the progress bar shows on a screen: it must not be longer than a
// line, or each of its states would stay there.
type barLayout struct {
	bar     int  // characters between its ends
	details bool // bytes, speed and times
	text    int  // characters for the rest
}

func newBarLayout(width int) barLayout {
	const (
		frame   = len(" 100% ││ ") - 4 // the ends are three bytes each
		details = len("(1023/1023 MB, 1023 MB/s) [59m59s:59m59s]")
	)
	l := barLayout{bar: min(24, max(4, width/4)), details: width >= 100}
	l.text = width - 1 - frame - l.bar
	if l.details {
		l.text -= details
	}
	l.text = max(l.text, 1)
	return l
}

func (l barLayout) newBar(w io.Writer, color bool) *progressbar.ProgressBar {
	return progressbar.NewOptions64(-1,
		progressbar.OptionSetWriter(w),
		progressbar.OptionShowBytes(l.details),
		progressbar.OptionSetElapsedTime(l.details),
		progressbar.OptionSetPredictTime(l.details),
		progressbar.OptionSetWidth(l.bar),
		progressbar.OptionSetSpinnerChangeInterval(0), // else a goroutine draws over what follows the bar
		progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionClearOnFinish(),
		progressbar.OptionEnableColorCodes(color),
		progressbar.OptionSetTheme(progressbar.Theme{Saucer: "█", SaucerPadding: "░", BarStart: "│", BarEnd: "│"}),
	)
}

// describe returns as much of the name and the number of points as has room.
func (l barLayout) describe(name string, points int64) string {
	count := fmt.Sprintf("%d points", points)
	for _, text := range []string{name + "  " + count, filepath.Base(name) + "  " + count, count, fmt.Sprint(points)} {
		if utf8.RuneCountInString(text) <= l.text {
			return text
		}
	}
	return ""
}
