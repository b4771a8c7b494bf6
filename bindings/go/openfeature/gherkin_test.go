// SPDX-License-Identifier: MIT

package openfeature_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	of "github.com/open-feature/go-sdk/openfeature"

	"libcanary.example/canary"
	"libcanary.example/canary/canarytest"
	canaryof "libcanary.example/canary/openfeature"
)

// TestGherkin runs testdata/*.feature and, where CANARY_TEST_OPENFEATURE_SPEC names the directory
// specification/assets/gherkin of the specification, the specification's own suite. What a boolean
// provider cannot be asked is left out by name: run it with -v.
func TestGherkin(t *testing.T) {
	own, _ := filepath.Glob("testdata/*.feature")
	if len(own) == 0 {
		t.Fatal("no features")
	}
	for _, file := range own {
		ran, out := runFeature(t, file)
		delete(out, "it was not asked for")
		if ran == 0 && !filtered() || len(out) > 0 {
			t.Errorf("%s: %d rows ran, left out: %v", file, ran, out)
		}
	}
	t.Run("specification", func(t *testing.T) {
		directory := os.Getenv("CANARY_TEST_OPENFEATURE_SPEC")
		if directory == "" {
			t.Skip("CANARY_TEST_OPENFEATURE_SPEC does not say where the specification's suite is")
		}
		files, _ := filepath.Glob(filepath.Join(directory, "*.feature"))
		total := 0
		for _, file := range files {
			ran, out := runFeature(t, file)
			total += ran
			t.Logf("%s: %d rows ran", filepath.Base(file), ran)
			for _, reason := range slices.Sorted(maps.Keys(out)) {
				t.Logf("    left out, %s: %s", reason, strings.Join(out[reason], ", "))
			}
		}
		if total < 10 {
			t.Errorf("%d rows of the specification's suite fit", total)
		}
	})
}

func filtered() bool { return strings.Contains(flag.Lookup("test.run").Value.String(), "/") }

// A row is a scenario, with the values of one line of its examples put in.
type row struct {
	name  string
	tags  string
	steps []string
}

var placeholder = regexp.MustCompile(`<(\w+)>`)

// rows reads as much of Gherkin as the suites use.
func rows(t *testing.T, file string) (all []row) {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var background, steps, header []string
	var name, tags, nextTags, featureTags string
	inBackground, outline, hasTable := false, false, false
	flush := func() {
		if name != "" && !outline {
			all = append(all, row{name, featureTags + tags, append(slices.Clone(background), steps...)})
		}
		name, steps, header, hasTable = "", nil, nil, false
	}
	for _, line := range strings.Split(string(text), "\n") {
		line = strings.TrimSpace(line)
		word, rest, _ := strings.Cut(line, " ")
		switch {
		case line == "" || line[0] == '#':
		case line[0] == '@':
			nextTags += line + " "
		case word == "Feature:":
			featureTags, nextTags = nextTags, ""
		case word == "Background:":
			inBackground = true
		case word == "Scenario:" || strings.HasPrefix(line, "Scenario Outline:"):
			flush()
			_, name, _ = strings.Cut(line, ": ")
			tags, nextTags = nextTags, ""
			inBackground, outline = false, word == "Scenario"
		case word == "Examples:":
			header, hasTable, nextTags = nil, true, ""
		case line[0] == '|':
			cells := strings.Split(strings.Trim(line, "|"), "|")
			for i := range cells {
				cells[i] = strings.TrimSpace(cells[i])
			}
			switch {
			case !hasTable:
				steps[len(steps)-1] += " " + line
			case header == nil:
				header = cells
			default:
				put := func(step string) string {
					return placeholder.ReplaceAllStringFunc(step, func(key string) string {
						if i := slices.Index(header, key[1:len(key)-1]); i >= 0 && i < len(cells) {
							return cells[i]
						}
						return key
					})
				}
				one := row{name + " " + strings.Join(cells, "/"), featureTags + tags, slices.Clone(background)}
				for _, step := range steps {
					one.steps = append(one.steps, put(step))
				}
				all = append(all, one)
			}
		case inBackground:
			background = append(background, rest)
		default:
			steps = append(steps, rest)
		}
	}
	flush()
	return all
}

// world is what the steps of one row share.
type world struct {
	t        *testing.T
	provider *canaryof.Provider
	client   *of.Client
	kind     string
	key      string
	fallback string
	targets  bool // a step said who the user is
	user     string
	details  struct {
		of.EvaluationDetails
		value any
	}
}

func (w *world) start(kind string) {
	// Of its own for each: a domain keeps the status of the provider before.
	domain := w.t.Name() + " " + kind
	options := &canaryof.Options{Poll: time.Millisecond}
	w.provider = canaryof.NewFromDeciders(flags(w.t, kind), options)
	switch kind {
	case "stable", "stale":
		if err := of.SetNamedProviderAndWait(domain, w.provider); err != nil {
			w.t.Fatal(err)
		}
	case "not ready":
		// Still in its initialisation when it is asked.
		held := make(chan struct{})
		w.t.Cleanup(func() { close(held) })
		if err := of.SetNamedProvider(domain, holding{w.provider, held}); err != nil {
			w.t.Fatal(err)
		}
	}
	w.client = of.NewClient(domain)
}

type holding struct {
	*canaryof.Provider
	held <-chan struct{}
}

func (h holding) Init(evaluation of.EvaluationContext) error {
	<-h.held
	return h.Provider.Init(evaluation)
}

// InitWithContext hides the provider's own.
func (h holding) InitWithContext(_ any) {}

// flags are those of the specification's suite that are boolean and have no rules, and our own.
func flags(t *testing.T, kind string) []canary.Decider {
	replica := func(name string, share canary.BasisPoints) *canary.Replica {
		return canarytest.Replica(t, name, share)
	}
	var minutes atomic.Int64
	stale, _ := canary.NewReplica("stale-flag", &canary.ReplicaOptions{StaleAfter: time.Second,
		Now: func() time.Time { return time.Unix(minutes.Add(1)*60, 0) }})
	stale.Load(canarytest.Status("stale-flag", canary.Everybody, 1))
	killed := replica("killed-flag", canary.Everybody)
	killed.Kill()
	empty, _ := canary.NewReplica("empty-flag", nil)
	all := []canary.Decider{replica("boolean-flag", canary.Everybody), replica("boolean-zero-flag", 0),
		replica("split-flag", 5*canary.Percent), canarytest.Pin("pinned-flag", "carol"), killed, empty}
	if kind == "stale" || strings.Contains(t.Name(), "stale-flag") {
		all = append(all, stale)
	}
	return all
}

type step struct {
	pattern *regexp.Regexp
	// run answers why the row has to be left out, or "".
	run func(w *world, values []string) string
}

func is(get func(w *world) string, foreign map[string]string) func(*world, []string) string {
	return func(w *world, values []string) string {
		if why := foreign[values[0]]; why != "" {
			return why
		}
		if got := get(w); got != values[0] {
			w.t.Errorf("%q, want %q", got, values[0])
		}
		return ""
	}
}

var rules = "libcanary has no rules over the context"

var steps = []step{
	{regexp.MustCompile(`^a (stable|not ready|stale|error|fatal) provider$`), func(w *world, v []string) string {
		if v[0] == "error" || v[0] == "fatal" {
			return "no such state can be asked for here; a store that cannot be opened is tested beside this"
		}
		w.start(v[0])
		return ""
	}},
	{regexp.MustCompile(`^an? (\w+)-flag with key "(.*)" and a (?:fallback|default) value "(.*)"$`),
		func(w *world, v []string) string {
			w.kind, w.key, w.fallback = strings.ToLower(v[0]), v[1], strings.ReplaceAll(v[2], `\"`, `"`)
			switch {
			case strings.Contains(w.key, "targeted"):
				return rules
			case strings.Contains(w.key, "disabled"):
				return "a kill is never DISABLED"
			case w.key == "metadata-flag":
				return "metadata is the rollout's state, not chosen freely"
			case w.key == "string-flag", w.key == "integer-flag", w.key == "float-flag", w.key == "object-flag",
				w.key == "wrong-flag", strings.HasSuffix(w.key, "-zero-flag") && w.kind != "boolean":
				return "the flag is not boolean"
			}
			return ""
		}},
	{regexp.MustCompile(`^a context containing a targeting key with value "(.*)"$`), func(w *world, v []string) string {
		w.targets, w.user = true, v[0]
		return ""
	}},
	{regexp.MustCompile(`^the flag was evaluated with details$`), (*world).evaluate},
	{regexp.MustCompile(`^the resolved details value should be "(.*)"$`), (*world).hasValue},
	{regexp.MustCompile(`^the reason should be "(.*)"$`), is(func(w *world) string { return string(w.details.Reason) },
		map[string]string{"DEFAULT": rules, "CACHED": "nothing is cached", "DISABLED": "a kill is never DISABLED"})},
	{regexp.MustCompile(`^the error-code should be "(.*)"$`), is(func(w *world) string { return string(w.details.ErrorCode) }, nil)},
	{regexp.MustCompile(`^the flag key should be "(.*)"$`), is(func(w *world) string { return w.details.FlagKey }, nil)},
	{regexp.MustCompile(`^the variant should be "(.*)"$`), is(func(w *world) string { return w.details.Variant },
		map[string]string{"on": "the variants are new and old"})},
	{regexp.MustCompile(`^the provider status should be "(.*)"$`), func(w *world, v []string) string {
		state(w.t, w.client, of.State(v[0]))
		return ""
	}},
}

func (w *world) evaluate([]string) string {
	if w.client.State() == of.NotReadyState {
		return "the SDK answers for a provider that is not ready, and asks it nothing"
	}
	id := "user-1"
	if w.targets {
		id = w.user
	}
	by := user(id)
	var err error
	switch w.kind {
	case "boolean":
		fallback, _ := strconv.ParseBool(w.fallback)
		d, e := w.client.BooleanValueDetails(background, w.key, fallback, by)
		w.details.EvaluationDetails, w.details.value, err = d.EvaluationDetails, d.Value, e
	case "string":
		d, e := w.client.StringValueDetails(background, w.key, w.fallback, by)
		w.details.EvaluationDetails, w.details.value, err = d.EvaluationDetails, d.Value, e
	case "integer":
		fallback, _ := strconv.ParseInt(w.fallback, 10, 64)
		d, e := w.client.IntValueDetails(background, w.key, fallback, by)
		w.details.EvaluationDetails, w.details.value, err = d.EvaluationDetails, d.Value, e
	case "float":
		fallback, _ := strconv.ParseFloat(w.fallback, 64)
		d, e := w.client.FloatValueDetails(background, w.key, fallback, by)
		w.details.EvaluationDetails, w.details.value, err = d.EvaluationDetails, d.Value, e
	case "object":
		var fallback any
		json.Unmarshal([]byte(w.fallback), &fallback)
		d, e := w.client.ObjectValueDetails(background, w.key, fallback, by)
		w.details.EvaluationDetails, w.details.value, err = d.EvaluationDetails, d.Value, e
	default:
		return "no flag is of kind " + w.kind
	}
	if (err != nil) != (w.details.ErrorCode != "") {
		w.t.Errorf("error %v and code %q", err, w.details.ErrorCode)
	}
	return ""
}

func (w *world) hasValue(values []string) string {
	want := strings.ReplaceAll(values[0], `\"`, `"`)
	got := fmt.Sprint(w.details.value)
	if w.kind == "object" {
		text, _ := json.Marshal(w.details.value)
		got, want = string(text), strings.ReplaceAll(want, ": ", ":")
	}
	if got != want {
		w.t.Errorf("value %q, want %q", got, want)
	}
	return ""
}

func runFeature(t *testing.T, file string) (ran int, out map[string][]string) {
	out = map[string][]string{}
	for _, one := range rows(t, file) {
		why := "it was not asked for"
		if strings.Contains(one.tags, "@deprecated") {
			why = "it is deprecated"
		} else {
			t.Run(one.name, func(t *testing.T) {
				if why = runRow(t, one); why != "" {
					t.Skip(why)
				}
			})
		}
		if why == "" {
			ran++
		} else {
			out[why] = append(out[why], one.name)
		}
	}
	return ran, out
}

func runRow(t *testing.T, one row) string {
	w := &world{t: t}
	defer func() {
		if w.provider != nil {
			w.provider.Shutdown()
		}
	}()
	for _, text := range one.steps {
		known := false
		for _, s := range steps {
			if values := s.pattern.FindStringSubmatch(text); values != nil {
				known = true
				if why := s.run(w, values[1:]); why != "" {
					return why
				}
			}
		}
		if !known {
			return "a step is about the SDK: " + text
		}
	}
	return ""
}
