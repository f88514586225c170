package retention

import (
	"slices"
	"testing"
)

func TestPlan(t *testing.T) {
	horizons := map[string]int64{"": 100, "early": 10}
	of := func(class string) (int64, bool) {
		h, ok := horizons[class]
		if !ok {
			h, ok = horizons[""]
		}
		return h, ok
	}
	files := []File{
		{Path: "below", Classes: []ClassEnd{{"a", 99}}},
		{Path: "last point at the horizon", Classes: []ClassEnd{{"a", 100}}},
		{Path: "cut through", StartTS: 5, Classes: []ClassEnd{{"a", 150}}},
		{Path: "kept longer", Classes: []ClassEnd{{"early", 99}}},
		{Path: "all classes below", Classes: []ClassEnd{{"a", 99}, {"early", 9}, {"b", 0}}},
		{Path: "mixed", Classes: []ClassEnd{{"a", 99}, {"early", 99}}},
		{Path: "mixed, the other way", Classes: []ClassEnd{{"early", 9}, {"a", 100}}},
		{Path: "no class below", Classes: []ClassEnd{{"early", 10}, {"a", 100}}},
		{Path: "no classes"},
	}
	w := Plan(files, of)
	if want := []string{"below", "all classes below"}; !slices.Equal(w.Drop, want) {
		t.Errorf("dropped %q, want %q", w.Drop, want)
	}
	if want := []string{"mixed", "mixed, the other way"}; !slices.Equal(w.Rewrite, want) {
		t.Errorf("rewritten %q, want %q", w.Rewrite, want)
	}
	delete(horizons, "")
	if w = Plan(files, of); len(w.Drop) != 0 || len(w.Rewrite) != 2 {
		t.Errorf("without a horizon of all: %+v", w)
	}
}
