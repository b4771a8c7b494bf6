// SPDX-License-Identifier: MIT

//go:build cgo

package canary_test

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"libcanary.example/canary"
)

func onDisk(t testing.TB, options canary.Options) (*canary.Store, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "canary.db")
	options.Create = true
	store := must(canary.OpenStore(background, path, &options))(t)
	t.Cleanup(func() { store.Close() })
	must(store.Create(background, canary.Spec{Name: "checkout"}, canary.By("ann")))(t)
	return store, path
}

func TestOperatorsRound(t *testing.T) {
	store, _ := onDisk(t, canary.Options{})
	change := must(store.Advance(background, "checkout", canary.By("bo"), canary.Note("looks good"),
		canary.Evidence("p99"), canary.ExpectStage(0), canary.ExpectRevision(1)))(t)
	if change.Action != "advance" || change.FromPercentage != 0 || change.ToPercentage != 5*canary.Percent ||
		change.By != "bo" || change.Note != "looks good" || change.Revision != 2 || change.ID != 2 ||
		len(change.Hash) != 64 || time.Since(change.At) > time.Hour {
		t.Errorf("%+v", change)
	}
	dry := must(store.SetPercentage(background, "checkout", 1234, canary.DryRun()))(t)
	if dry.ToPercentage != 1234 || dry.Hash != "" {
		t.Errorf("%+v", dry)
	}
	must(store.SetPercentage(background, "checkout", 1234, canary.Phase("BLACK_FRIDAY")))(t)
	state := must(store.Read(background, "checkout"))(t)
	if state.Percentage != 1234 || state.StageName != "BLACK_FRIDAY" || state.Stage != 1 ||
		len(state.Stages) != 5 || state.Stages[4].Percentage != canary.Everybody ||
		state.Stages[2].Name != "EXPANDED" || !state.FlagEnabled || state.Revision != 3 {
		t.Errorf("%+v", state)
	}
	must(store.SetStage(background, "checkout", 3))(t)
	must(store.SetStage(background, "checkout", 2))(t)
	must(store.Rollback(background, "checkout", 1))(t)
	must(store.Create(background, canary.Spec{Name: "search", Salt: "s", Flag: "checkout",
		Stages: []canary.Stage{{Name: "ONE", Percentage: 100, Dwell: time.Hour},
			{Name: "ALL", Percentage: canary.Everybody}}}))(t)
	all := must(store.Rollouts(background))(t)
	if len(all) != 2 || all[1].Name != "search" || all[1].Stages[1].Name != "ONE" ||
		all[1].Stages[1].Dwell != time.Hour || all[1].Salt != "s" {
		t.Errorf("%+v", all)
	}
	must(store.SetFlag(background, "checkout", false))(t)
	flags := must(store.Flags(background))(t)
	if len(flags) != 1 || flags[0].Enabled || flags[0].Rollouts != 2 {
		t.Errorf("%+v", flags)
	}
	must(store.SetOverride(background, "search", true, []string{"b", "a\x00", "\xff"}))(t)
	overrides := must(store.Overrides(background, "search"))(t)
	if len(overrides) != 3 || overrides[0] != (canary.Override{User: "a\x00", New: true}) {
		t.Errorf("%+v", overrides)
	}
	history := must(store.History(background, "checkout", 2, 0))(t)
	if len(history) != 2 || history[0].Action != "flag_off" || history[1].Action != "rollback" ||
		history[0].Revision != history[1].Revision+1 {
		t.Errorf("%+v", history)
	}
	if page := must(store.History(background, "", 0, 3))(t); len(page) != 2 || page[1].ID != 1 ||
		page[1].Action != "create" || page[1].FromStage != -1 {
		t.Errorf("%+v", page)
	}
	must(store.Accept(background, "checkout"))(t)
	report := must(store.Verify(background))(t)
	if report.Rollouts != 2 || report.Flags != 1 || len(report.HeadHash) != 64 || report.Findings != nil {
		t.Errorf("%+v", report)
	}
}

func TestErrors(t *testing.T) {
	store, path := onDisk(t, canary.Options{})
	_, err := store.Advance(background, "checkout", canary.ExpectStage(3))
	var known *canary.Error
	if !errors.Is(err, canary.ErrConflict) || errors.Is(err, canary.ErrBusy) || !errors.As(err, &known) ||
		known.Code != canary.ErrConflict || known.Op != "advance" || known.Message == "" {
		t.Errorf("%#v", err)
	}
	directory := t.TempDir()
	text := filepath.Join(directory, "text")
	must(0, os.WriteFile(text, []byte(strings.Repeat("text", 1000)), 0o600))(t)
	cut := filepath.Join(directory, "cut.db")
	whole := must(os.ReadFile(path))(t)
	must(0, os.WriteFile(cut, whole[:5000], 0o600))(t)
	for what, check := range map[string]struct {
		err  error
		want []error
	}{
		"a missing store":     {second(canary.OpenStore(background, directory+"/x", nil)), []error{canary.ErrNoStore, fs.ErrNotExist}},
		"a missing rollout":   {second(canary.Open(background, path, "x", nil)), []error{canary.ErrNotFound}},
		"a text":              {second(canary.Open(background, text, "x", nil)), []error{canary.ErrNotAStore}},
		"a truncated store":   {second(canary.Open(background, cut, "checkout", nil)), []error{canary.ErrCorrupt}},
		"no path":             {second(canary.OpenStore(background, "", nil)), []error{canary.ErrInvalid}},
		"a path with NUL":     {second(canary.OpenStore(background, path+"\x00x", nil)), []error{canary.ErrInvalid}},
		"no name":             {second(store.Advance(background, "")), []error{canary.ErrInvalid}},
		"a name with NUL":     {second(store.Advance(background, "checkout\x00x")), []error{canary.ErrInvalid}},
		"a note with NUL":     {second(store.Advance(background, "checkout", canary.Note("a\x00b"))), []error{canary.ErrInvalid}},
		"a note of 1024":      {second(store.Advance(background, "checkout", canary.Note(strings.Repeat("n", 1024)))), []error{canary.ErrInvalid}},
		"no UTF-8":            {second(store.Advance(background, "checkout", canary.Note("\xff"))), []error{canary.ErrInvalid}},
		"101 %":               {second(store.SetPercentage(background, "checkout", 10100)), []error{canary.ErrInvalid}},
		"a stage of 2^32":     {second(store.SetStage(background, "checkout", 1<<32)), []error{canary.ErrInvalid}},
		"another stage":       {second(store.Rollback(background, "checkout", -1)), []error{canary.ErrInvalid}},
		"twice the same":      {second(store.Create(background, canary.Spec{Name: "checkout"})), []error{canary.ErrExists, fs.ErrExist}},
		"a falling ladder":    {second(store.Create(background, canary.Spec{Name: "f", Stages: []canary.Stage{{Percentage: 2}, {Percentage: 1}}})), []error{canary.ErrInvalid}},
		"half the names":      {second(store.Create(background, canary.Spec{Name: "f", Stages: []canary.Stage{{Percentage: 2}, {Name: "x", Percentage: 3}}})), []error{canary.ErrInvalid}},
		"32 rungs":            {second(store.Create(background, canary.Spec{Name: "f", Stages: make([]canary.Stage, 32)})), []error{canary.ErrInvalid}},
		"an empty pin":        {second(store.SetOverride(background, "checkout", true, []string{""})), []error{canary.ErrInvalid}},
		"no pin to remove":    {second(store.RemoveOverride(background, "checkout", "x")), []error{canary.ErrNotFound}},
		"a tick of a day":     {second(canary.OpenStore(background, path, &canary.Options{Tick: 24 * time.Hour})), []error{canary.ErrInvalid}},
		"a negative timeout":  {second(canary.OpenStore(background, path, &canary.Options{BusyTimeout: -1})), []error{canary.ErrInvalid}},
		"a negative limit":    {second(store.History(background, "", -1, 0)), []error{canary.ErrInvalid}},
		"a directory as path": {second(canary.OpenStore(background, directory, nil)), []error{canary.ErrNotAStore}},
	} {
		if !errors.As(check.err, &known) {
			t.Errorf("%s: %v", what, check.err)
		}
		for _, want := range check.want {
			if !errors.Is(check.err, want) {
				t.Errorf("%s: %v is not %v", what, check.err, want)
			}
		}
	}
	// Nothing of all that changed anything.
	if state := must(store.Read(background, "checkout"))(t); state.Revision != 1 {
		t.Errorf("%+v", state)
	}
	deferred := must(canary.Open(background, filepath.Join(directory, "later.db"), "x",
		&canary.Options{Defer: true}))(t)
	defer deferred.Close()
	expect(t, deferred, "alice", false, canary.ReasonNotReady)
	if info := must(deferred.Info(background))(t); !errors.Is(info.LastError, canary.ErrNoStore) {
		t.Errorf("%+v", info)
	}
}

func TestCodesAreThoseOfTheLibrary(t *testing.T) {
	if canary.ErrStorage.Name() != "CANARY_E_STORAGE" || canary.Code(-99).Name() != "CANARY_E_UNKNOWN" ||
		canary.Code(5).Error() == "" {
		t.Error("names of codes")
	}
	if !strings.Contains(canary.Version(), ".") {
		t.Error(canary.Version())
	}
}

// A change made by another process reaches this one by itself.
func TestFollows(t *testing.T) {
	store, path := onDisk(t, canary.Options{})
	rollout := must(canary.Open(background, path, "checkout", nil))(t)
	defer rollout.Close()
	info := must(rollout.Info(background))(t)
	if !info.Watcher || info.Store != "sqlite" || info.Source != canary.SourceOpen || info.Doubts != 0 {
		t.Errorf("%+v", info)
	}
	must(store.SetPercentage(background, "checkout", canary.Everybody))(t)
	for deadline := time.Now().Add(time.Minute); !rollout.ShouldUseNew("alice"); {
		if time.Now().After(deadline) {
			t.Fatal("the change did not come")
		}
		time.Sleep(time.Millisecond)
	}
}

// TestMain also serves as the process that holds a lock: SQLite's exclusive lock is a range of bytes.
func TestMain(m *testing.M) {
	if path := os.Getenv("CANARY_TEST_LOCK"); path != "" {
		file, err := os.OpenFile(path, os.O_RDWR, 0)
		if err == nil {
			err = syscall.FcntlFlock(file.Fd(), syscall.F_SETLKW, &syscall.Flock_t{
				Type: syscall.F_WRLCK, Start: 0x40000000, Len: 512})
		}
		if err != nil {
			os.Stdout.WriteString(err.Error())
			os.Exit(1)
		}
		os.Stdout.WriteString("locked")
		os.Stdin.Read(make([]byte, 1))
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// lock keeps the store locked until the answer is called.
func lock(t *testing.T, path string) (unlock func()) {
	command := exec.Command(must(os.Executable())(t))
	command.Env = append(os.Environ(), "CANARY_TEST_LOCK="+path)
	in := must(command.StdinPipe())(t)
	out := must(command.StdoutPipe())(t)
	must(0, command.Start())(t)
	word := make([]byte, 100)
	if n, _ := out.Read(word); string(word[:n]) != "locked" {
		t.Fatalf("no lock: %s", word[:n])
	}
	return sync.OnceFunc(func() {
		in.Close()
		command.Wait()
	})
}

func TestContexts(t *testing.T) {
	store, path := onDisk(t, canary.Options{BusyTimeout: 5 * time.Minute})
	must(store.SetPercentage(background, "checkout", canary.Everybody))(t)
	rollout := must(store.Rollout(background, "checkout", nil))(t)
	defer rollout.Close()
	unlock := lock(t, path)
	defer unlock()

	ended, cancel := context.WithCancel(background)
	cancel()
	if _, err := store.Advance(ended, "checkout"); !errors.Is(err, context.Canceled) ||
		errors.Is(err, canary.ErrUnfinished) {
		t.Errorf("%v", err)
	}

	// One that has begun, on a busy machine too, and cannot be called back.
	soon, cancel := context.WithTimeout(background, 2*time.Second)
	defer cancel()
	start := time.Now()
	_, err := store.SetPercentage(soon, "checkout", 9000, canary.By("first"), canary.ExpectRevision(2))
	if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, canary.ErrUnfinished) {
		t.Errorf("%v", err)
	}
	// One that waits for its turn behind it, and can.
	soon, cancel = context.WithTimeout(background, 50*time.Millisecond)
	defer cancel()
	_, err = store.SetPercentage(soon, "checkout", 8000, canary.By("second"))
	if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, canary.ErrUnfinished) {
		t.Errorf("%v", err)
	}
	if !rollout.ShouldUseNew("alice") {
		t.Error("nothing has changed yet")
	}
	// A rollback waits for neither, and is begun though nobody waits for it.
	_, err = store.Rollback(ended, "checkout", 0, canary.By("third"))
	if !errors.Is(err, context.Canceled) || !errors.Is(err, canary.ErrUnfinished) {
		t.Errorf("%v", err)
	}
	for rollout.ShouldUseNew("alice") {
		if time.Since(start) > time.Minute {
			t.Fatal("the rollback is not in effect while the store is locked")
		}
		time.Sleep(time.Millisecond)
	}
	unlock()
	for must(store.Read(background, "checkout"))(t).Percentage != 0 {
		if time.Since(start) > 2*time.Minute {
			t.Fatal("what was begun was not ended")
		}
		time.Sleep(10 * time.Millisecond)
	}
	// The first may have come before the rollback or, since it expected a revision, not at all.
	for _, change := range must(store.History(background, "checkout", 0, 0))(t) {
		if change.By == "second" {
			t.Errorf("%+v", change)
		}
	}
	if rollout.ShouldUseNew("alice") {
		t.Error("the rollback was lost")
	}
}

func TestRollbackOfALockedStore(t *testing.T) {
	store, path := onDisk(t, canary.Options{BusyTimeout: 50 * time.Millisecond})
	must(store.SetPercentage(background, "checkout", canary.Everybody))(t)
	rollout := must(store.Rollout(background, "checkout", nil))(t)
	defer rollout.Close()
	unlock := lock(t, path)
	defer unlock()
	_, err := store.Rollback(background, "checkout", 0)
	var known *canary.Error
	if !errors.As(err, &known) || !known.InEffect || !errors.Is(err, canary.ErrBusy) ||
		!errors.Is(err, os.ErrDeadlineExceeded) || !known.Timeout() || !strings.Contains(err.Error(), "lowered") {
		t.Errorf("%v", err)
	}
	if rollout.ShouldUseNew("alice") {
		t.Error("not in effect")
	}
}

func TestClosedWhileItWaits(t *testing.T) {
	store, path := onDisk(t, canary.Options{BusyTimeout: 3 * time.Second})
	unlock := lock(t, path)
	defer unlock()
	ctx, cancel := context.WithTimeout(background, time.Second)
	defer cancel()
	if _, err := store.Advance(ctx, "checkout"); !errors.Is(err, canary.ErrUnfinished) {
		t.Errorf("%v", err)
	}
	// The call behind still has the store: this must wait for it, not pull it away.
	store.Close()
}

func TestVerifyFindsAnEdit(t *testing.T) {
	store, path := onDisk(t, canary.Options{})
	store.Close()
	file := must(os.ReadFile(path))(t)
	edited := strings.Replace(string(file), "ann", "amy", -1)
	if edited == string(file) {
		t.Fatal("no name to edit")
	}
	must(0, os.WriteFile(path, []byte(edited), 0o600))(t)
	store = must(canary.OpenStore(background, path, nil))(t)
	defer store.Close()
	report, err := store.Verify(background)
	if !errors.Is(err, canary.ErrTampered) || len(report.Findings) == 0 || report.Changes != 1 ||
		report.Findings[0].Message == "" || report.Findings[0].Kind == 0 {
		t.Errorf("%+v %v", report, err)
	}
}

type heard struct {
	slog.Handler
	lines chan string
}

func (h heard) Handle(_ context.Context, record slog.Record) error {
	h.lines <- record.Message
	return nil
}

func TestLogger(t *testing.T) {
	lines := make(chan string, 1000)
	logger := slog.New(heard{slog.NewTextHandler(os.Stderr, nil), lines})
	store, path := onDisk(t, canary.Options{Logger: logger})
	must(store.SetPercentage(background, "checkout", 100))(t)
	// The same salt as a rollout that is partly open: the library warns.
	must(store.Create(background, canary.Spec{Name: "other"}))(t)
	select {
	case line := <-lines:
		if !strings.Contains(line, "salt") && !strings.Contains(line, "other") {
			t.Errorf("%s", line)
		}
	case <-time.After(time.Minute):
		t.Errorf("no line about two rollouts of one salt in %s", path)
	}
	store.Close()
}

// Handles that are opened and closed leave nothing: no thread, no descriptor, no memory. With
// CANARY_TEST_ROUNDS=1000000 this is the long measurement.
func TestNoLeak(t *testing.T) {
	if os.Getenv("CANARY_TEST_ALONE") == "" {
		// In a process of its own, whose memory is not what other tests left.
		alone := exec.Command(os.Args[0], "-test.run=^TestNoLeak$", "-test.v", "-test.short="+strconv.FormatBool(testing.Short()))
		alone.Env = append(os.Environ(), "CANARY_TEST_ALONE=1")
		out, err := alone.CombinedOutput()
		t.Logf("%s", out)
		if err != nil {
			t.Error(err)
		}
		return
	}
	_, path := onDisk(t, canary.Options{})
	rounds := 2000
	if testing.Short() {
		rounds = 200
	}
	if wanted := os.Getenv("CANARY_TEST_ROUNDS"); wanted != "" {
		rounds = number(t, wanted)
	}
	logger := slog.New(slog.DiscardHandler)
	round := func(i int) {
		store := must(canary.OpenMemory(&canary.Options{Logger: logger}))(t)
		must(store.Create(background, canary.Spec{Name: "r"}))(t)
		rollout := must(store.Rollout(background, "r", nil))(t)
		for range 10 {
			rollout.ShouldUseNew("alice")
		}
		counted(t, rollout.Record(rollout.Explain("alice"), canary.Outcome{Duration: time.Second}))
		store.Close()
		rollout.Close()
		if i%10 == 0 {
			onDisk := must(canary.Open(background, path, "checkout", nil))(t)
			counted(t, onDisk.RecordUser("alice", onDisk.ShouldUseNew("alice"), canary.Outcome{}))
			onDisk.Close()
		}
	}
	for i := range 200 {
		round(i)
	}
	files, tasks, pages, routines := descriptors(t), threads(t), resident(t), runtime.NumGoroutine()
	for i := range rounds {
		round(i)
	}
	// SQLite keeps a descriptor of a closed connection while another one has a lock.
	if n := descriptors(t); n > files+4 {
		t.Errorf("%d descriptors before, %d after", files, n)
	}
	if n := threads(t); n > tasks+8 {
		t.Errorf("%d threads before, %d after", tasks, n)
	}
	for n := 0; n < 500 && runtime.NumGoroutine() > routines+5; n++ {
		time.Sleep(10 * time.Millisecond) // those of the loggers are on their way out
	}
	if n := runtime.NumGoroutine(); n > routines+5 {
		t.Errorf("%d goroutines before, %d after", routines, n)
	}
	grown := resident(t) - pages
	if grown > 4000 && !underRace { // 16 MB: the Go heap breathes
		t.Errorf("%d pages more", grown)
	}
	t.Logf("%d rounds: %d pages more", rounds, grown)
}

func descriptors(t testing.TB) int {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip(err)
	}
	return len(entries)
}

func resident(t testing.TB) int {
	return number(t, strings.Fields(string(must(os.ReadFile("/proc/self/statm"))(t)))[1])
}
