package cli

import (
	"fmt"
	"strings"
	"testing"
)

// rooms are two rooms of two floors, a point every 30 s from 1694300000 (22:53:20) on.
func rooms() string {
	var b strings.Builder
	for i := range 8 {
		for floor, room := range []string{"hall", "attic"} {
			fmt.Fprintf(&b, `{"series":"room.temp","ts":%d,"value":%d,"tags":{"room":"%s","floor":"%d"}}`+"\n", 1694300000+30*i, 10*floor+i, room, floor)
		}
	}
	return b.String()
}

func TestQueryAggregates(t *testing.T) {
	p := newProgram(t)
	p.want(0, "", rooms(), "ingest")
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"--agg", "max"}, `room.temp:max,"{""floor"":""0"",""room"":""hall""}",1694300000,7
room.temp:max,"{""floor"":""1"",""room"":""attic""}",1694300000,17
`},
		{[]string{"--step", "2m", "--by", "floor"}, `avg,"{""floor"":""0""}",1694299920,0.5
avg,"{""floor"":""0""}",1694300040,3.5
avg,"{""floor"":""0""}",1694300160,6.5
avg,"{""floor"":""1""}",1694299920,10.5
avg,"{""floor"":""1""}",1694300040,13.5
avg,"{""floor"":""1""}",1694300160,16.5
`},
		{[]string{"--step", "2m", "--start", "1694300000", "--agg", "count", "--by", ""}, `count,,1694300000,8
count,,1694300120,8
`},
		{[]string{"--agg", "sum", "--by", "__name__, room"}, `room.temp:sum,"{""room"":""attic""}",1694300000,108
room.temp:sum,"{""room"":""hall""}",1694300000,28
`},
		{[]string{"--agg", "first", "--window", "1m", "--step", "2m", "--start", "1694300060", "--end", "1694300180", "--by", "floor", "--limit", "3"},
			`first,"{""floor"":""0""}",1694300060,1
first,"{""floor"":""0""}",1694300180,5
first,"{""floor"":""1""}",1694300060,11
`},
		{[]string{"--agg", "rate", "--end", "1694300000"}, ""},
	} {
		args := append([]string{"query", "room.temp", "--format", "csv"}, tt.args...)
		p.want(0, "series,tags,ts,value\n"+tt.want, "", args...)
	}
	p.want(0, `[
{"series":"min","tags":{},"points":[[1694300000,0]]}
]
`, "", "query", "room.temp", "--agg", "min", "--by", "", "--format", "json")

	for _, tt := range []struct {
		args []string
		word string
	}{
		{[]string{"--agg", "median"}, "use one of avg, count, first"},
		{[]string{"--step", "soon"}, `--step "soon": want a span such as`},
		{[]string{"--step", "-5m"}, "want a span such as"},
		{[]string{"--step", "0s"}, "want a span such as"},
		{[]string{"--window", "5m"}, "--window goes with --step"},
		{[]string{"--step", "1ns"}, "too many windows"},
	} {
		p.fails(ExitUsage, "", append([]string{"query", "room.temp"}, tt.args...), tt.word)
	}
}

// What an aggregation prints can be stored beside the points that it was made of.
func TestAggregatesCanBeStored(t *testing.T) {
	p := newProgram(t)
	p.want(0, "", rooms(), "ingest")
	r := p.run("", "query", "room.temp", "--step", "1m", "--agg", "max", "--format", "ndjson")
	p.want(0, "", r.stdout, "ingest")
	p.want(0, r.stdout, "", "query", "room.temp:max", "--format", "ndjson")
}

// The last hour, or any span up to now, is cut at round times, whenever now is.
func TestWindowsOfTheLast(t *testing.T) {
	p := newProgram(t)
	p.want(0, "", rooms(), "ingest")
	p.want(0, "series,tags,ts,value\ncount,,1694300040,8\ncount,,1694300160,2\n", "",
		"query", "room.temp", "--agg", "count", "--by", "", "--step", "2m", "--last", "2m", "--end", "1694300185", "--format", "csv")
}
