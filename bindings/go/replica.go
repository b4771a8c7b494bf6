// SPDX-License-Identifier: MIT

package canary

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// ReplicaOptions say how a [Replica] decides. Nil, and the zero value, is the default everywhere.
type ReplicaOptions struct {
	// StaleAfter makes decisions answer "old" once the last Load is longer ago; 0 keeps the last
	// state for as long as it takes.
	StaleAfter time.Duration
	// KillSwitch is asked on each decision; true kills. It costs what it costs, on each decision,
	// and a decision without one costs nothing for it. It is called by many goroutines at once.
	KillSwitch func() bool
	// Now is the clock; nil is [time.Now]. Only differences count.
	Now func() time.Time
}

// A Replica decides in pure Go, from the state that the program loads into it. It needs no C
// library and no file: the program fetches the state as it likes, from a sidecar, a configuration
// service, or an embedded file.
//
// Like the C library it believes what is in doubt only as far as it lowers exposure. A state whose
// revision is older than the present one cannot raise it, and while users are pinned to "old" whose
// ids were not loaded, nobody gets "new".
type Replica struct {
	name    string
	options ReplicaOptions
	killed  atomic.Bool
	dropped atomic.Uint64 // outcomes
	byName  bool          // by CANARY_KILL
	state   atomic.Pointer[replicaState]
	loading sync.Mutex
}

type replicaState struct {
	loaded
	at time.Time
}

var _ Decider = (*Replica)(nil)

// NewReplica makes a replica of the rollout with this name. Everybody gets "old", reason NOT_READY,
// until a state is loaded. CANARY_KILL is read from the environment here and never again.
func NewReplica(rollout string, options *ReplicaOptions) (*Replica, error) {
	if !validName(rollout) {
		return nil, &Error{Op: "replica", Name: rollout, Code: ErrInvalid,
			Message: "a name has 1 to 128 of the characters A-Z a-z 0-9 . _ -"}
	}
	replica := &Replica{name: rollout, byName: environmentKills(rollout)}
	if options != nil {
		replica.options = *options
	}
	if replica.options.StaleAfter < 0 {
		return nil, &Error{Op: "replica", Name: rollout, Code: ErrInvalid,
			Message: fmt.Sprintf("StaleAfter is %v, and must not be negative", replica.options.StaleAfter)}
	}
	if replica.options.Now == nil {
		replica.options.Now = time.Now
	}
	return replica, nil
}

// Load takes the JSON of `canaryctl --rollout NAME status -o json`. On an error the present state
// stays. An older revision than the present one is believed only as far as it lowers, and reported
// as [ErrConflict].
func (r *Replica) Load(status []byte) error { return r.load(status, nil) }

// LoadWithOverrides takes the pinned users too: the JSON of `canaryctl --rollout NAME override list
// -o json`. A list that cannot be read is an error, but does not keep a rollback out: the status is
// loaded as by Load.
func (r *Replica) LoadWithOverrides(status, overrides []byte) error {
	if overrides == nil {
		overrides = []byte{}
	}
	return r.load(status, overrides)
}

func (r *Replica) load(status, overrides []byte) error {
	if r == nil {
		return &Error{Op: "load", Code: ErrInvalid, Message: "there is no replica"}
	}
	state, err := parseStatus(status)
	if err != nil {
		return err
	}
	if state.name != r.name {
		return &Error{Op: "load", Name: r.name, Code: ErrInvalid,
			Message: fmt.Sprintf("this is the state of rollout %q", state.name)}
	}
	if overrides != nil {
		err = state.addOverrides(overrides)
	}
	r.loading.Lock()
	defer r.loading.Unlock()
	next := &replicaState{loaded: *state, at: r.options.Now()}
	if before := r.state.Load(); before != nil && before.revision > next.revision {
		err = &Error{Op: "load", Name: r.name, Code: ErrConflict,
			Message: fmt.Sprintf("revision %d is older than the present %d; believed only as far as it lowers",
				next.revision, before.revision)}
		lowered := *before
		lowered.effective = min(before.effective, next.effective)
		lowered.killed = before.killed || next.killed
		next = &lowered
	}
	r.state.Store(next)
	return err
}

// Name is the name of the rollout.
func (r *Replica) Name() string {
	if r == nil {
		return ""
	}
	return r.name
}

// Kill sends everybody to "old" from the next decision on, until Revive: the tool of a circuit
// breaker. Local to this replica.
func (r *Replica) Kill() {
	if r != nil {
		r.killed.Store(true)
	}
}

// Revive takes back Kill; any other kill stays.
func (r *Replica) Revive() {
	if r != nil {
		r.killed.Store(false)
	}
}

// ShouldUseNew is true when this user gets the new path. It allocates nothing and waits for nothing;
// a nil replica and an empty user give false.
func (r *Replica) ShouldUseNew(user string) bool {
	if r == nil || user == "" {
		return false
	}
	state := r.state.Load()
	isNew, reason := r.rule(state, user)
	if reason != ReasonSplit {
		return isNew
	}
	return BucketOf(Hash(state.prefix, user)) < int(state.effective)
}

// rule is everything but the hash: for ReasonSplit the bucket decides.
func (r *Replica) rule(state *replicaState, user string) (bool, Reason) {
	if r.isKilled() || state != nil && state.killed {
		return false, ReasonKilled
	}
	if state == nil {
		return false, ReasonNotReady
	}
	if r.options.StaleAfter > 0 && r.age(state) > r.options.StaleAfter {
		return false, ReasonStale
	}
	if !state.pinsKnown {
		return false, ReasonNotReady
	}
	if len(state.pins) > 0 {
		if isNew, pinned := state.pins[user]; pinned {
			return isNew, ReasonOverride
		}
	}
	if state.effective == 0 || state.effective == Everybody {
		return state.effective != 0, ReasonStatic
	}
	return false, ReasonSplit
}

func (r *Replica) isKilled() bool {
	return r.byName || r.killed.Load() || r.options.KillSwitch != nil && r.options.KillSwitch()
}

func (r *Replica) age(state *replicaState) time.Duration {
	return max(0, r.options.Now().Sub(state.at))
}

// Explain decides and says why.
func (r *Replica) Explain(user string) Decision {
	if r == nil || user == "" {
		return invalid()
	}
	state := r.state.Load()
	isNew, reason := r.rule(state, user)
	if state == nil {
		hash := Hash("", user)
		return Decision{Reason: reason, Hash: hash, Bucket: BucketOf(hash), Stage: -1, Age: -1}
	}
	hash := Hash(state.prefix, user)
	decision := Decision{
		New:        isNew,
		Reason:     reason,
		Hash:       hash,
		Bucket:     BucketOf(hash),
		Percentage: state.percentage,
		Effective:  state.effective,
		Stage:      state.stage,
		Revision:   state.revision,
		Age:        r.age(state),
	}
	switch reason {
	case ReasonSplit:
		decision.New = decision.Bucket < int(state.effective)
	case ReasonKilled, ReasonStale, ReasonNotReady:
		decision.Effective = 0
	}
	return decision
}
