// SPDX-License-Identifier: MIT

package openfeature

import (
	"context"
	"slices"
	"time"

	of "github.com/open-feature/go-sdk/openfeature"

	"libcanary.example/canary"
)

const staleByDefault = 10 * time.Second

// look sees how a rollout stands, by a decision: it takes no lock and waits for nothing.
func (p *Provider) look(rollout *watched) standing {
	decision := rollout.Explain(probe)
	limit := p.options.StaleAfter
	if limit == 0 && rollout.followed {
		limit = staleByDefault
	}
	byPolicy := decision.Reason == canary.ReasonStale
	return standing{
		revision:  decision.Revision,
		effective: decision.Effective,
		killed:    decision.Reason == canary.ReasonKilled,
		ready:     decision.Reason != canary.ReasonNotReady && decision.Reason != canary.ReasonInvalid,
		stale:     byPolicy || limit > 0 && decision.Age > limit,
		byPolicy:  byPolicy,
	}
}

// watch turns what moves into events. An event that finds no room is sent at a later look: changes
// of one rollout may then come as one event, and none is lost.
func (p *Provider) watch(ctx context.Context, done chan<- struct{}) {
	defer close(done)
	poll := time.NewTicker(p.options.Poll)
	defer poll.Stop()
	discovered := time.Now()
	changed := map[string]bool{}
	told := of.ProviderReady
	for {
		select {
		case <-ctx.Done():
			return
		case <-poll.C:
		}
		if time.Since(discovered) >= p.options.Discover {
			before := *p.rollouts.Load()
			// What cannot be read now shows by its age, and is tried again.
			_ = p.open(ctx)
			for name := range *p.rollouts.Load() {
				if before[name] == nil {
					changed[name] = true
				}
			}
			discovered = time.Now()
		}
		stale := p.lookAtAll(changed)
		if len(changed) > 0 && p.tell(of.ProviderConfigChange, changed) {
			clear(changed)
			told = of.ProviderReady // which is what SDKs take a change for
		}
		now, message := of.ProviderReady, []string(nil)
		if len(stale) > 0 {
			now, message = of.ProviderStale, stale
		}
		if now != told && p.tellState(now, message) {
			told = now
		}
	}
}

// lookAtAll notes who changed, and answers who is stale.
func (p *Provider) lookAtAll(changed map[string]bool) (stale []string) {
	for name, rollout := range *p.rollouts.Load() {
		now := p.look(rollout)
		if now.stale {
			stale = append(stale, name)
		}
		if now.byPolicy {
			// That it got old is told by another event; what it was before it still is.
			now.effective, now.killed = rollout.seen.effective, rollout.seen.killed
		}
		if now.moved(rollout.seen) {
			changed[name] = true
		}
		rollout.seen = now
	}
	slices.Sort(stale)
	return stale
}

func (s standing) moved(before standing) bool {
	return s.revision != before.revision || s.effective != before.effective || s.killed != before.killed ||
		s.ready != before.ready
}

func (p *Provider) tell(kind of.EventType, changed map[string]bool) bool {
	names := make([]string, 0, len(changed))
	for name := range changed {
		names = append(names, name)
	}
	slices.Sort(names)
	return p.send(kind, of.ProviderEventDetails{Message: "rollouts moved", FlagChanges: names})
}

func (p *Provider) tellState(kind of.EventType, stale []string) bool {
	if kind == of.ProviderReady {
		return p.send(kind, of.ProviderEventDetails{Message: "the state of all rollouts is fresh again"})
	}
	return p.send(kind, of.ProviderEventDetails{
		Message: "the state of some rollouts was not confirmed for long", FlagChanges: stale})
}

func (p *Provider) send(kind of.EventType, details of.ProviderEventDetails) bool {
	select {
	case p.events <- of.Event{ProviderName: p.Metadata().Name, EventType: kind,
		ProviderEventDetails: details}:
		return true
	default:
		return false
	}
}
