// SPDX-License-Identifier: MIT

//go:build cgo

package openfeature

import (
	"context"
	"maps"

	"libcanary.example/canary"
)

// New makes a provider of all rollouts of a store, also of those that are created later. The store
// stays the caller's; shutting the provider down closes the rollouts that it opened.
func New(store *canary.Store, options *Options) *Provider {
	p := newProvider(options)
	var newest uint64 // id of the last change at which the list was read
	var opened []*canary.Rollout
	p.open = func(ctx context.Context) error {
		last, err := store.History(ctx, "", 1, 0)
		if err != nil {
			return err
		}
		known := p.rollouts.Load()
		if known != nil && len(last) > 0 && last[0].ID == newest {
			return nil
		}
		states, err := store.Rollouts(ctx)
		if err != nil {
			return err
		}
		all := map[string]*watched{}
		if known != nil {
			all = maps.Clone(*known)
			// Also when one of them fails: what was opened is not to be opened again and again.
			defer p.rollouts.Store(&all)
		}
		for _, state := range states {
			if all[state.Name] != nil {
				continue
			}
			rollout, err := store.Rollout(ctx, state.Name, nil)
			if err != nil {
				return err
			}
			opened = append(opened, rollout)
			if err := p.declare(rollout); err != nil {
				return err
			}
			info, _ := rollout.Info(ctx)
			entry := &watched{Decider: rollout, followed: info.Watcher}
			entry.seen = p.look(entry)
			all[state.Name] = entry
		}
		if len(last) > 0 {
			newest = last[0].ID
		}
		if known == nil {
			p.rollouts.Store(&all)
		}
		return nil
	}
	p.shut = func() {
		for _, rollout := range opened {
			rollout.Close()
		}
		opened, newest = nil, 0
	}
	return p
}
