// SPDX-License-Identifier: MIT

package canary

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"slices"
)

// loaded is the state of a rollout as `canaryctl -o json` shows it.
type loaded struct {
	name       string
	prefix     string // salt, without colon
	stage      int
	stageName  string
	percentage BasisPoints
	effective  BasisPoints
	killed     bool
	doubt      []string
	revision   uint64
	pinsNew    int // as counted by the store
	pinsOld    int
	pins       map[string]bool
	pinsKnown  bool // everybody who is pinned to old is in pins
}

type statusJSON struct {
	Rollout    string       `json:"rollout"`
	Stage      *int         `json:"stage"`
	StageName  string       `json:"stage_name"`
	Percentage *json.Number `json:"percentage"`
	Effective  *json.Number `json:"effective_percentage"`
	Killed     *bool        `json:"killed"`
	Doubt      []string     `json:"doubt"`
	Salt       *string      `json:"salt"`
	SaltHex    string       `json:"salt_hex"`
	Algorithm  int          `json:"algorithm"`
	Revision   *uint64      `json:"revision"`
	Overrides  *struct {
		New int `json:"new"`
		Old int `json:"old"`
	} `json:"overrides"`
}

type overrideJSON struct {
	User    *string `json:"user"`
	UserHex string  `json:"user_hex"`
	Cohort  string  `json:"cohort"`
}

func decodeJSON(text []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(text))
	if err := decoder.Decode(into); err != nil {
		return err
	}
	if decoder.More() {
		return fmt.Errorf("something follows the value")
	}
	return nil
}

// share reads a percentage: exactly the values that have two decimals.
func share(key string, number *json.Number) (BasisPoints, error) {
	if number == nil {
		return 0, fmt.Errorf("%s is missing", key)
	}
	percent, err := number.Float64()
	points := math.Round(percent * 100)
	if err != nil || !(points >= 0 && points <= 10000) || math.Abs(percent*100-points) > 1e-6 {
		return 0, fmt.Errorf("%s is %q, which is not 0 to 100 with at most two decimals", key, *number)
	}
	return BasisPoints(points), nil
}

func eitherBytes(text *string, inHex string) (string, error) {
	if text != nil {
		return *text, nil
	}
	raw, err := hex.DecodeString(inHex)
	return string(raw), err
}

func parseStatus(text []byte) (*loaded, error) {
	var status statusJSON
	if err := decodeJSON(text, &status); err != nil {
		return nil, &Error{Op: "load", Code: ErrInvalid,
			Message: "this is not the JSON of `canaryctl status -o json`: " + err.Error()}
	}
	fail := func(code Code, format string, values ...any) (*loaded, error) {
		return nil, &Error{Op: "load", Name: status.Rollout, Code: code,
			Message: fmt.Sprintf(format, values...)}
	}
	if status.Algorithm != 1 {
		return fail(ErrUnsupported, "algorithm %d is not known here, only 1", status.Algorithm)
	}
	percentage, err := share("percentage", status.Percentage)
	if err != nil {
		return fail(ErrInvalid, "%v", err)
	}
	effective, err := share("effective_percentage", status.Effective)
	if err != nil {
		return fail(ErrInvalid, "%v", err)
	}
	// Whatever is left out could be the one thing that lowers exposure.
	if !validName(status.Rollout) || status.Stage == nil || status.Killed == nil ||
		status.Revision == nil || status.Overrides == nil || status.Salt == nil && status.SaltHex == "" {
		return fail(ErrInvalid, "rollout, stage, killed, salt, revision or overrides is missing")
	}
	salt, err := eitherBytes(status.Salt, status.SaltHex)
	if err != nil || len(salt) > saltMax {
		return fail(ErrInvalid, "the salt is not hexadecimal, or longer than %d bytes", saltMax)
	}
	state := &loaded{
		name:       status.Rollout,
		prefix:     salt,
		stage:      *status.Stage,
		stageName:  status.StageName,
		percentage: percentage,
		effective:  min(percentage, effective),
		killed:     *status.Killed,
		doubt:      status.Doubt,
		revision:   *status.Revision,
		pinsNew:    status.Overrides.New,
		pinsOld:    status.Overrides.Old,
		pinsKnown:  status.Overrides.Old == 0,
	}
	if state.killed {
		state.effective = 0
	}
	return state, nil
}

// addOverrides takes the JSON of `canaryctl override list -o json` into the state.
func (s *loaded) addOverrides(text []byte) error {
	var list []overrideJSON
	fail := func(message string) error {
		return &Error{Op: "load", Name: s.name, Code: ErrInvalid, Message: message}
	}
	if err := decodeJSON(text, &list); err != nil {
		return fail("this is not the JSON of `canaryctl override list -o json`: " + err.Error())
	}
	pins := make(map[string]bool, len(list))
	old, doubted := 0, slices.Contains(s.doubt, "overrides")
	for i, entry := range list {
		user, err := eitherBytes(entry.User, entry.UserHex)
		if err != nil || user == "" || entry.Cohort != "new" && entry.Cohort != "old" {
			return fail(fmt.Sprintf("entry %d has no user, or a cohort that is neither new nor old", i))
		}
		if entry.Cohort == "old" {
			old++
			pins[user] = false
		} else if !doubted {
			pins[user] = true
		}
	}
	s.pins = pins
	s.pinsKnown = old >= s.pinsOld
	return nil
}
