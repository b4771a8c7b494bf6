// SPDX-License-Identifier: MIT

package httpmw_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"libcanary.example/canary"
	"libcanary.example/canary/canarytest"
	"libcanary.example/canary/httpmw"
)

func byHeader(r *http.Request) string { return r.Header.Get("X-User") }

func get(t testing.TB, handler http.Handler, user string) string {
	request := httptest.NewRequest("GET", "/", nil)
	request.Header.Set("X-User", user)
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, request)
	body, err := io.ReadAll(recorder.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func TestDecidesOnce(t *testing.T) {
	pinned := canarytest.Pin("checkout", "alice")
	handler := httpmw.New(pinned, byHeader)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		first := httpmw.ShouldUseNew(r.Context(), "checkout")
		pinned.Set("alice", false)
		fmt.Fprint(w, first, httpmw.ShouldUseNew(r.Context(), "checkout"))
	}))
	if got := get(t, handler, "alice"); got != "true true" {
		t.Errorf("a request got two answers: %s", got)
	}
	if got := get(t, handler, "alice"); got != "false false" {
		t.Errorf("the next request: %s", got)
	}
}

func TestSeveralRollouts(t *testing.T) {
	show := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, name := range []string{"checkout", "search", "other"} {
			decision, ok := httpmw.Decision(r.Context(), name)
			fmt.Fprint(w, name, " ", ok, " ", decision.New, " ", decision.Reason, ";")
		}
	})
	handler := httpmw.New(canarytest.Pin("checkout", "alice"), byHeader)(
		httpmw.New(canarytest.Pin("search"), byHeader)(show))
	if got := get(t, handler, "alice"); got !=
		"checkout true true override;search true false override;other false false invalid;" {
		t.Error(got)
	}
	if got := get(t, handler, ""); got !=
		"checkout true false invalid;search true false invalid;other false false invalid;" {
		t.Error(got)
	}
}

func TestWithoutARollout(t *testing.T) {
	show := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, httpmw.ShouldUseNew(r.Context(), "checkout"))
	})
	for _, decider := range []canary.Decider{nil, (*canary.Replica)(nil)} {
		if got := get(t, httpmw.New(decider, byHeader)(show), "alice"); got != "false" {
			t.Error(got)
		}
	}
	if httpmw.ShouldUseNew(context.Background(), "checkout") {
		t.Error("new without a decision")
	}
}

func TestReplicaSaysThatItDoesNotRecord(t *testing.T) {
	replica := canarytest.Replica(t, "checkout", canary.Everybody)
	show := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		httpmw.Request(r.Context(), "checkout").Measure(canary.Number("cost", 1))
		fmt.Fprint(w, httpmw.ShouldUseNew(r.Context(), "checkout"))
	})
	if got := get(t, httpmw.New(replica, byHeader)(show), "alice"); got != "true" {
		t.Error(got)
	}
	get(t, httpmw.New(replica, byHeader, httpmw.WithoutRecording())(show), "alice")
	if info, _ := replica.Recording(); info.Dropped != 1 {
		t.Errorf("%+v", info)
	}
}

func TestManyRequests(t *testing.T) {
	replica := canarytest.Replica(t, "checkout", 50*canary.Percent)
	server := httptest.NewServer(httpmw.New(replica, byHeader)(http.HandlerFunc(
		func(w http.ResponseWriter, r *http.Request) {
			if httpmw.ShouldUseNew(r.Context(), "checkout") != replica.ShouldUseNew(byHeader(r)) {
				t.Error("another answer than the rollout's")
			}
		})))
	defer server.Close()
	var group sync.WaitGroup
	for i := range 50 {
		group.Add(1)
		go func() {
			defer group.Done()
			for n := range 10 {
				request, _ := http.NewRequest("GET", server.URL, nil)
				request.Header.Set("X-User", fmt.Sprint(i, "-", n))
				response, err := server.Client().Do(request)
				if err != nil {
					t.Error(err)
					return
				}
				response.Body.Close()
			}
		}()
	}
	group.Wait()
}

func ExampleNew() {
	rollout := canarytest.Pin("checkout", "alice")

	mux := http.NewServeMux()
	mux.HandleFunc("GET /checkout", func(w http.ResponseWriter, r *http.Request) {
		if httpmw.ShouldUseNew(r.Context(), "checkout") {
			fmt.Fprintln(w, "new checkout")
		} else {
			fmt.Fprintln(w, "old checkout")
		}
	})
	handler := httpmw.New(rollout, func(r *http.Request) string {
		return r.Header.Get("X-User")
	})(mux)

	for _, user := range []string{"alice", "bob"} {
		request := httptest.NewRequest("GET", "/checkout", nil)
		request.Header.Set("X-User", user)
		response := httptest.NewRecorder()
		handler.ServeHTTP(response, request)
		fmt.Print(user, ": ", response.Body)
	}
	// Output:
	// alice: new checkout
	// bob: old checkout
}
