// SPDX-License-Identifier: MIT

package canary

import (
	"fmt"
	"strconv"
	"time"
)

// BasisPoints are hundredths of a percent: 10000 is everybody.
type BasisPoints uint32

const (
	// Percent makes shares readable: 25 * canary.Percent.
	Percent BasisPoints = 100
	// Everybody is 100 %.
	Everybody BasisPoints = 10000
)

// Percent is the share in percent.
func (b BasisPoints) Percent() float64 { return float64(b) / 100 }

// String is the share as people read it, for example "12.5 %".
func (b BasisPoints) String() string {
	return strconv.FormatFloat(b.Percent(), 'f', -1, 64) + " %"
}

// Reason says why a user got a cohort. The numbers are those of the C library and never change.
type Reason int

// The order of reasons: the first that applies decides.
const (
	ReasonInvalid  Reason = 1 // no rollout, or an empty user id: old
	ReasonKilled   Reason = 2 // a kill switch is on: old
	ReasonNotReady Reason = 3 // nothing was ever loaded: old
	ReasonStale    Reason = 4 // the state is older than the stale policy allows: old
	ReasonOverride Reason = 5 // an operator pinned this user
	ReasonStatic   Reason = 6 // 0 % or 100 %
	ReasonSplit    Reason = 7 // the bucket is below the percentage: new; else old
)

// String is the reason in lower case, for example "split".
func (r Reason) String() string {
	names := [...]string{"unknown", "invalid", "killed", "not_ready", "stale", "override", "static",
		"split"}
	if r < 0 || int(r) >= len(names) {
		return names[0]
	}
	return names[r]
}

// A Decision is a cohort and everything it rests on.
type Decision struct {
	New        bool          // the user gets the new path
	Reason     Reason        // why
	Hash       uint32        // of the user under the rollout's salt; 0 when the id was invalid
	Bucket     int           // 0 to 9999, or NoBucket when the id was invalid
	Percentage BasisPoints   // what the store says
	Effective  BasisPoints   // what is acted on: 0 while killed, lower while something is in doubt
	Stage      int           // rung of the ladder; -1 when nothing was loaded, or the id was invalid
	Revision   uint64        // of the rollout's state; 0 when nothing was loaded
	Age        time.Duration // since the state was last confirmed; -1 for never
}

// Cohort is "new" or "old".
func (d Decision) Cohort() string {
	if d.New {
		return "new"
	}
	return "old"
}

// String is one line for people. It holds no user id.
func (d Decision) String() string {
	return fmt.Sprintf("%s (%s, bucket %d, %s effective, stage %d, revision %d)", d.Cohort(), d.Reason,
		d.Bucket, d.Effective, d.Stage, d.Revision)
}

// invalid is the decision for nobody.
func invalid() Decision {
	return Decision{Reason: ReasonInvalid, Bucket: NoBucket, Stage: -1, Age: -1}
}

// A Decider is one rollout, ready to decide: a [Rollout], a [Replica], or in tests what package
// canarytest has. All methods may be called from any goroutine at any time, and none waits.
type Decider interface {
	// Name is the name of the rollout.
	Name() string
	// ShouldUseNew is true when this user gets the new path. In doubt it is false.
	ShouldUseNew(user string) bool
	// Explain decides and says why.
	Explain(user string) Decision
}
