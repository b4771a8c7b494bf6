// SPDX-License-Identifier: MIT

package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"libcanary.example/canary"
)

// The test's own program serves as the service, so that it is a process of its own.
func TestMain(m *testing.M) {
	if os.Getenv("CANARY_TEST_SERVE") != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// operate does what an operator does, with canaryctl where it was built.
func operate(t *testing.T, database string, words ...string) {
	t.Helper()
	if tool := os.Getenv("CANARY_TEST_CANARYCTL"); tool != "" {
		command := exec.Command(tool, append([]string{"--db", database, "--by", "test"}, words...)...)
		if out, err := command.CombinedOutput(); err != nil {
			t.Fatalf("canaryctl %v: %v\n%s", words, err, out)
		}
		return
	}
	ctx := context.Background()
	store, err := canary.OpenStore(ctx, database, &canary.Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	switch words[0] {
	case "create":
		_, err = store.Create(ctx, canary.Spec{Name: "checkout"})
	case "set":
		_, err = store.SetPercentage(ctx, "checkout", canary.Everybody)
	case "rollback":
		_, err = store.Rollback(ctx, "checkout", 0)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func serve(t *testing.T, database string) (url string, stop func()) {
	t.Helper()
	service := exec.Command(os.Args[0], "-db", database, "-listen", "127.0.0.1:0")
	service.Env = append(os.Environ(), "CANARY_TEST_SERVE=1")
	service.Stderr = os.Stderr
	out, err := service.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := service.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(strings.TrimPrefix(line, "serving on ")), sync.OnceFunc(func() {
		service.Process.Signal(syscall.SIGTERM)
		if err := service.Wait(); err != nil {
			t.Errorf("the service ended with %v", err)
		}
	})
}

func ask(t *testing.T, url, user string) string { return fetch(t, url+"/checkout", user) }

func fetch(t *testing.T, url, user string) string {
	request, err := http.NewRequest("GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("X-User", user)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Error(err)
		return ""
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Errorf("%s %v", response.Status, err)
	}
	return string(body)
}

func TestFollowsARollbackWhileItServes(t *testing.T) {
	database := filepath.Join(t.TempDir(), "canary.db")
	operate(t, database, "create", "checkout")
	operate(t, database, "set", "--percent", "100")
	url, stop := serve(t, database)
	defer stop()
	if got := ask(t, url, ""); got != "old checkout\n" {
		t.Errorf("nobody: %s", got)
	}

	var rolledBack, late atomic.Bool
	var news, olds atomic.Int64
	var group sync.WaitGroup
	for i := range 8 {
		group.Add(1)
		go func() {
			defer group.Done()
			for n := 0; !late.Load(); n++ {
				isLate := rolledBack.Load()
				switch ask(t, url, fmt.Sprint("user-", i, "-", n)) {
				case "new checkout\n":
					news.Add(1)
					if isLate {
						t.Error("new a second after the rollback")
					}
				case "old checkout\n":
					olds.Add(1)
				}
			}
		}()
	}
	time.Sleep(200 * time.Millisecond)
	if olds.Load() != 0 {
		t.Errorf("%d old at 100 %%", olds.Load())
	}
	operate(t, database, "rollback")
	time.Sleep(time.Second) // a loaded machine; the bell takes microseconds
	rolledBack.Store(true)
	time.Sleep(200 * time.Millisecond)
	late.Store(true)
	group.Wait()
	if news.Load() == 0 || olds.Load() == 0 {
		t.Errorf("%d new, %d old", news.Load(), olds.Load())
	}
	stop()
}

func TestRecordsWhatItServes(t *testing.T) {
	database := filepath.Join(t.TempDir(), "canary.db")
	operate(t, database, "create", "checkout")
	operate(t, database, "set", "--percent", "100")
	url, stop := serve(t, database)
	defer stop()
	for i := range 20 {
		ask(t, url, fmt.Sprint("user-", i))
	}
	if page := fetch(t, url+"/metrics", ""); !strings.Contains(page,
		`canary_outcomes_total{rollout="checkout",cohort="new",status="ok"} 20`) {
		t.Error(page)
	}
	stop() // which merges
	store, err := canary.OpenStore(context.Background(), database, &canary.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	found, err := store.Metrics(context.Background(), "checkout", canary.Query{Window: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	duration, _ := found.Row("duration")
	total, _ := found.Row("total")
	if duration.New.N != 20 || duration.Old.N != 0 || !(duration.New.P99 < 10) || total.New.Mean != 39.9 {
		t.Errorf("%+v", found)
	}
}

func TestServesWithoutAStore(t *testing.T) {
	url, stop := serve(t, filepath.Join(t.TempDir(), "none.db"))
	defer stop()
	if got := ask(t, url, "alice"); got != "old checkout\n" {
		t.Error(got)
	}
	stop()
}
