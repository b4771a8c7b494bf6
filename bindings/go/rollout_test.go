// SPDX-License-Identifier: MIT

//go:build cgo

package canary_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"libcanary.example/canary"
)

var background = context.Background()

// must is for calls whose failure ends the test.
func must[T any](value T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

func memory(t testing.TB, options *canary.Options) *canary.Store {
	t.Helper()
	store := must(canary.OpenMemory(options))(t)
	t.Cleanup(func() { store.Close() })
	return store
}

func rolloutAt(t testing.TB, salt string, share canary.BasisPoints, options *canary.Options) *canary.Rollout {
	t.Helper()
	store := memory(t, options)
	must(store.Create(background, canary.Spec{Name: "r", Salt: salt}))(t)
	must(store.SetPercentage(background, "r", share))(t)
	rollout := must(store.Rollout(background, "r", options))(t)
	t.Cleanup(func() { rollout.Close() })
	return rollout
}

func TestVectorsRollout(t *testing.T) {
	salts := map[string][]vector{}
	for _, v := range vectors(t) {
		salts[v.salt] = append(salts[v.salt], v)
	}
	for salt, all := range salts {
		var rollout *canary.Rollout
		set := func(share int) {
			must(rollout.Store().SetPercentage(background, "r", canary.BasisPoints(share)))(t)
		}
		for i, v := range all {
			if i%500 == 0 { // each change makes a store in memory slower
				rollout = rolloutAt(t, salt, 0, nil)
			}
			d := rollout.Explain(v.id)
			if d.Hash != v.hash || d.Bucket != v.bucket {
				t.Fatalf("id %x salt %x: %+v", v.id, salt, d)
			}
			set(v.bucket)
			if rollout.ShouldUseNew(v.id) || rollout.ShouldUseNewHash(v.id, v.hash) ||
				rollout.ShouldUseNewBucket(v.bucket) {
				t.Fatalf("id %x salt %x: new at %d", v.id, salt, v.bucket)
			}
			set(v.bucket + 1)
			if !rollout.ShouldUseNew(v.id) || !rollout.ShouldUseNewBytes([]byte(v.id)) ||
				!rollout.ShouldUseNewHash(v.id, v.hash) || !rollout.ShouldUseNewBucket(v.bucket) {
				t.Fatalf("id %x salt %x: old at %d", v.id, salt, v.bucket+1)
			}
		}
	}
}

func TestCohortsRollout(t *testing.T) {
	cohorts(t, func(salt string, share canary.BasisPoints, users []string, into []bool) {
		if n := rolloutAt(t, salt, share, nil).DecideMany(users, into); n > len(users) {
			t.Errorf("%d", n)
		}
	})
}

// The two ways to decide agree for every id and share.
func FuzzRolloutAndReplica(f *testing.F) {
	f.Add("", "alice", uint16(178))
	f.Add("spring", "alice", uint16(4918))
	f.Add("", "a\x00b", uint16(10000))
	f.Add("", "", uint16(10000))
	f.Fuzz(func(t *testing.T, salt, id string, share uint16) {
		points := canary.BasisPoints(share) % 10001
		store := memory(t, nil)
		if _, err := store.Create(background, canary.Spec{Name: "r", Salt: salt}); err != nil {
			t.Skip() // no salt of the library
		}
		must(store.SetPercentage(background, "r", points))(t)
		rollout := must(store.Rollout(background, "r", nil))(t)
		defer rollout.Close()
		_, bucket := simple(salt, id)
		want := id != "" && bucket < int(points)
		into := []bool{!want, !want}
		n := rollout.DecideMany([]string{id, "", id}[:2], into)
		if rollout.ShouldUseNew(id) != want || rollout.Explain(id).New != want || into[0] != want ||
			into[1] || (n == 1) != want || replicaAt(t, salt, points).ShouldUseNew(id) != want {
			t.Errorf("salt %q id %q at %v: want %v, rollout %v, replica %v", salt, id, points, want,
				rollout.Explain(id), replicaAt(t, salt, points).Explain(id))
		}
	})
}

func TestReasons(t *testing.T) {
	clock := canary.NewClock(time.Unix(1000, 0))
	hook := atomic.Bool{}
	options := (&canary.Options{StaleAfter: time.Minute, KillSwitch: hook.Load}).WithClock(clock)
	rollout := rolloutAt(t, "", 500, options)
	store := rollout.Store()
	expect(t, rollout, "", false, canary.ReasonInvalid)
	expect(t, (*canary.Rollout)(nil), "alice", false, canary.ReasonInvalid)
	expect(t, rollout, "alice", true, canary.ReasonSplit)
	expect(t, rollout, "bob", false, canary.ReasonSplit)
	expect(t, rollout, "a\x00b", false, canary.ReasonSplit)
	if info := must(rollout.Info(background))(t); info.HashKernel == "" || info.HashManyKernel == "" {
		t.Errorf("%+v", info)
	}
	expect(t, rollout, strings.Repeat("x", 1<<20), false, canary.ReasonSplit)

	hook.Store(true)
	expect(t, rollout, "alice", false, canary.ReasonKilled)
	if rollout.DecideMany([]string{"alice"}, make([]bool, 1)) != 0 || rollout.ShouldUseNewBucket(0) ||
		rollout.ShouldUseNewHash("alice", 735577801) {
		t.Error("the kill switch does not reach every call")
	}
	if info := must(rollout.Info(background))(t); info.Kills != canary.KillHook || info.Effective != 0 {
		t.Errorf("%+v", info)
	}
	hook.Store(false)
	rollout.Kill()
	expect(t, rollout, "alice", false, canary.ReasonKilled)
	rollout.Revive()
	must(store.SetFlag(background, "r", false, canary.By("ann")))(t)
	expect(t, rollout, "alice", false, canary.ReasonKilled)
	must(store.SetFlag(background, "r", true))(t)
	expect(t, rollout, "alice", true, canary.ReasonSplit)

	must(store.SetOverride(background, "r", true, []string{"bob", "b\x00b"}))(t)
	must(store.SetOverride(background, "r", false, []string{"alice"}))(t)
	expect(t, rollout, "bob", true, canary.ReasonOverride)
	expect(t, rollout, "b\x00b", true, canary.ReasonOverride)
	expect(t, rollout, "alice", false, canary.ReasonOverride)
	if rollout.ShouldUseNewHash("", 735577801) {
		t.Error("a pin to old is not seen by the hash alone")
	}
	must(store.RemoveOverride(background, "r", "alice"))(t)
	expect(t, rollout, "alice", true, canary.ReasonSplit)

	must(store.SetPercentage(background, "r", canary.Everybody))(t)
	expect(t, rollout, "zoe", true, canary.ReasonStatic)
	clock.Set(time.Unix(1061, 0))
	expect(t, rollout, "zoe", false, canary.ReasonStale)
	if d := rollout.Explain("zoe"); d.Age != 61*time.Second {
		t.Errorf("age %v", d.Age)
	}
	must(0, store.Refresh(background))(t)
	expect(t, rollout, "zoe", true, canary.ReasonStatic)
	must(store.Rollback(background, "r", 0))(t)
	expect(t, rollout, "zoe", false, canary.ReasonStatic)
}

func TestEnvironment(t *testing.T) {
	store := memory(t, nil)
	must(store.Create(background, canary.Spec{Name: "r"}))(t)
	must(store.SetPercentage(background, "r", canary.Everybody))(t)
	t.Setenv("CANARY_KILL", "x r")
	rollout := must(store.Rollout(background, "r", nil))(t)
	defer rollout.Close()
	expect(t, rollout, "alice", false, canary.ReasonKilled)
	if info := must(rollout.Info(background))(t); info.Kills != canary.KillEnvironment {
		t.Errorf("%+v", info)
	}
}

func TestDecideMany(t *testing.T) {
	rollout := rolloutAt(t, "", 500, nil)
	into := []bool{true, true, true, true, true}
	if n := rollout.DecideMany([]string{"alice", "", "bob", "alice"}, into); n != 2 {
		t.Errorf("%d", n)
	}
	if into[0] != true || into[1] || into[2] || !into[3] || !into[4] {
		t.Errorf("%v", into)
	}
	if rollout.DecideMany(nil, nil) != 0 || (*canary.Rollout)(nil).DecideMany([]string{"alice"}, into) != 0 ||
		into[0] {
		t.Error("nothing is to decide")
	}
	defer func() {
		if recover() == nil {
			t.Error("a short slice was written past its end")
		}
	}()
	rollout.DecideMany([]string{"a", "b"}, make([]bool, 1))
}

func TestDecideRollouts(t *testing.T) {
	closed := rolloutAt(t, "", canary.Everybody, nil)
	closed.Close()
	rollouts := []*canary.Rollout{nil, closed,
		rolloutAt(t, "", canary.Everybody, &canary.Options{KillSwitch: func() bool { return true }})}
	for i := range 100 {
		rollouts = append(rollouts, rolloutAt(t, []string{"", "s"}[i%2], canary.BasisPoints(i*100), nil))
	}
	into := make([]bool, len(rollouts)+1)
	for i := range into {
		into[i] = true
	}
	count := 0
	n := canary.DecideRollouts("user-1", rollouts, into)
	for i, r := range rollouts {
		if into[i] != r.ShouldUseNew("user-1") {
			t.Errorf("rollout %d: %v", i, into[i])
		}
		if into[i] {
			count++
		}
	}
	if n != count || n == 0 || !into[len(rollouts)] {
		t.Errorf("%d, and %d are set", n, count)
	}
	if canary.DecideRollouts("", rollouts, into) != 0 || into[50] || canary.DecideRollouts("a", nil, nil) != 0 {
		t.Error("nobody, and nothing")
	}
	if n := testing.AllocsPerRun(100, func() { canary.DecideRollouts("user-1", rollouts, into) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// A kill switch that panics is its author's bug; the handle must still be closable.
func TestPanickingKillSwitch(t *testing.T) {
	rollout := rolloutAt(t, "", canary.Everybody, &canary.Options{KillSwitch: func() bool { panic("bug") }})
	for _, call := range []func(){
		func() { rollout.ShouldUseNew("alice") },
		func() { rollout.ShouldUseNewHash("alice", 5) },
		func() { rollout.ShouldUseNewBucket(5) },
		func() { rollout.Explain("alice") },
		func() { rollout.Info(background) },
		func() { rollout.DecideMany([]string{"alice"}, make([]bool, 1)) },
		func() {
			canary.DecideRollouts("alice", []*canary.Rollout{rolloutAt(t, "", 0, nil), rollout}, make([]bool, 2))
		},
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Error("the panic was lost")
				}
			}()
			call()
		}()
	}
	rollout.Close()
}

func TestDecisionsAllocateNothing(t *testing.T) {
	rollout := rolloutAt(t, "", 2500, &canary.Options{KillSwitch: func() bool { return false }})
	user := strings.Repeat("u", 36)
	slice := []byte(user)
	for name, decide := range map[string]func(){
		"ShouldUseNew":       func() { rollout.ShouldUseNew(user) },
		"ShouldUseNewBytes":  func() { rollout.ShouldUseNewBytes(slice) },
		"a converted slice":  func() { rollout.ShouldUseNewBytes(append(slice[:0], user...)) },
		"ShouldUseNewHash":   func() { rollout.ShouldUseNewHash(user, 5) },
		"ShouldUseNewBucket": func() { rollout.ShouldUseNewBucket(5) },
		"Explain":            func() { rollout.Explain(user) },
		"Kill and Revive":    func() { rollout.Kill(); rollout.Revive() },
	} {
		if n := testing.AllocsPerRun(1000, decide); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
	users, into := make([]string, 1000), make([]bool, 1000)
	for i := range users {
		users[i] = user
	}
	if n := testing.AllocsPerRun(1000, func() { rollout.DecideMany(users, into) }); n > 1 && !underRace {
		t.Errorf("DecideMany: %v allocations", n) // now and then the collector empties the pool
	}
}

func TestClosedHandles(t *testing.T) {
	store := memory(t, nil)
	must(store.Create(background, canary.Spec{Name: "r"}))(t)
	must(store.SetPercentage(background, "r", canary.Everybody))(t)
	rollout := must(store.Rollout(background, "r", nil))(t)
	store.Close()
	store.Close()
	if !rollout.ShouldUseNew("alice") {
		t.Error("a rollout outlives the store handle it was opened on")
	}
	for what, err := range map[string]error{
		"change": second(store.Advance(background, "r")),
		"list":   second(store.Rollouts(background)),
		"open":   second(store.Rollout(background, "r", nil)),
	} {
		if !errors.Is(err, canary.ErrClosed) || !errors.Is(err, os.ErrClosed) {
			t.Errorf("%s: %v", what, err)
		}
	}
	rollout.Close()
	rollout.Close()
	expect(t, rollout, "alice", false, canary.ReasonInvalid)
	rollout.Kill()
	if rollout.DecideMany([]string{"alice"}, make([]bool, 1)) != 0 {
		t.Error("a closed rollout decides new")
	}
	if _, err := rollout.Info(background); !errors.Is(err, canary.ErrClosed) {
		t.Errorf("info: %v", err)
	}
	var none *canary.Store
	if _, err := none.Advance(background, "r"); !errors.Is(err, canary.ErrInvalid) {
		t.Errorf("nil store: %v", err)
	}
	if none.Close() != nil || (*canary.Rollout)(nil).Close() != nil {
		t.Error("closing nothing")
	}
}

func second[T any](_ T, err error) error { return err }

// A thousand goroutines decide while the rollout moves, is killed, and is closed under their hands.
func TestCloseUnderManyGoroutines(t *testing.T) {
	for round := range 20 {
		rollout := rolloutAt(t, "", 500, nil)
		var group sync.WaitGroup
		var open atomic.Bool
		open.Store(true)
		into := make([][]bool, 1000)
		for i := range 1000 {
			into[i] = make([]bool, 2)
			group.Add(1)
			go func() {
				defer group.Done()
				for n := 0; open.Load() || n < 10; n++ {
					switch i % 4 {
					case 0:
						if rollout.ShouldUseNew("bob") {
							t.Error("bob is above 5 %")
						}
					case 1:
						rollout.Explain("alice")
					case 2:
						rollout.DecideMany([]string{"bob", "alice"}, into[i])
					case 3:
						rollout.ShouldUseNewBucket(n % 10000)
					}
					if n%16 == 0 {
						runtime.Gosched()
					}
				}
			}()
		}
		rollout.Kill()
		rollout.Revive()
		if round%2 == 0 {
			must(rollout.Store().SetPercentage(background, "r", 7))(t)
		}
		for range 3 { // also closed by several at once
			group.Add(1)
			go func() { defer group.Done(); rollout.Close() }()
		}
		rollout.Close()
		open.Store(false)
		group.Wait()
		expect(t, rollout, "alice", false, canary.ReasonInvalid)
	}
}

func TestTenThousandGoroutines(t *testing.T) {
	path := filepath.Join(t.TempDir(), "canary.db")
	store := must(canary.OpenStore(background, path, &canary.Options{Create: true}))(t)
	must(store.Create(background, canary.Spec{Name: "r"}))(t)
	must(store.SetPercentage(background, "r", canary.Everybody))(t)
	store.Close()
	rollout := must(canary.Open(background, path, "r", nil))(t)
	defer rollout.Close()
	var group sync.WaitGroup
	start := make(chan struct{})
	for range 10000 {
		group.Add(1)
		go func() {
			defer group.Done()
			<-start
			for rollout.ShouldUseNew("zoe") { // until the rollback reaches this goroutine
				runtime.Gosched()
			}
		}()
	}
	close(start)
	other := must(canary.OpenStore(background, path, nil))(t)
	defer other.Close()
	must(other.Rollback(background, "r", 0, canary.By("ann"), canary.Note("errors")))(t)
	group.Wait()
	if n := threads(t); n > 200 {
		t.Errorf("%d threads", n)
	}
}

// Ten thousand goroutines that ask a locked store wait in Go, not in ten thousand threads.
func TestOperatorsDoNotMultiplyThreads(t *testing.T) {
	store, path := onDisk(t, canary.Options{BusyTimeout: 200 * time.Millisecond})
	unlock := lock(t, path)
	defer unlock()
	ctx, cancel := context.WithTimeout(background, 500*time.Millisecond)
	defer cancel()
	var group sync.WaitGroup
	var most atomic.Int64
	for i := range 10000 {
		group.Add(1)
		go func() {
			defer group.Done()
			var err error
			if i%2 == 0 {
				_, err = store.Read(ctx, "checkout")
			} else {
				_, err = store.Advance(ctx, "checkout")
			}
			if !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, canary.ErrBusy) {
				t.Errorf("%v", err)
			}
			if i%1000 == 0 {
				most.Store(max(most.Load(), int64(threads(t))))
			}
		}()
	}
	group.Wait()
	if n := most.Load(); n > 200 {
		t.Errorf("%d threads", n)
	}
}

func threads(t testing.TB) int {
	entries, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Skip(err)
	}
	return len(entries)
}

func TestForgottenHandlesAreClosed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "canary.db")
	store := must(canary.OpenStore(background, path, &canary.Options{Create: true}))(t)
	must(store.Create(background, canary.Spec{Name: "r"}))(t)
	store.Close()
	runtime.GC()
	before := threads(t)
	for range 30 {
		must(canary.Open(background, path, "r", nil))(t)
	}
	for range 200 {
		runtime.GC()
		if threads(t) <= before+10 {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("%d threads before, %d after 30 rollouts were forgotten", before, threads(t))
}
