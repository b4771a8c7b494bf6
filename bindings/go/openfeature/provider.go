// SPDX-License-Identifier: MIT

// Package openfeature is an OpenFeature provider: a boolean flag for each rollout, true for the new
// path.
//
//	import (
//		"github.com/open-feature/go-sdk/openfeature"
//		canaryof "libcanary.example/canary/openfeature"
//	)
//
//	provider := canaryof.New(store, nil)
//	err := openfeature.SetProviderAndWait(provider)
//	client := openfeature.NewClient("shop")
//	isNew, err := client.BooleanValue(ctx, "checkout", false, openfeature.NewEvaluationContext(user, nil))
//
// The targeting key is the user id. Variants are "new" and "old". Reasons are SPLIT; STATIC at 0 and
// 100 %; TARGETING_MATCH for a user whom an operator pinned; STALE where the stale policy says "old".
//
// A killed rollout answers false, "old", STATIC with killSwitch true in the metadata, and never
// DISABLED: SDKs take DISABLED as "use the caller's default", which may be the new path. For the same
// reason a rollout that is killed, or open to nobody, answers so also without a targeting key.
//
// Tracked events are recorded: see [Provider.Track].
package openfeature

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	of "github.com/open-feature/go-sdk/openfeature"

	"libcanary.example/canary"
)

// Keys of the metadata of an evaluation.
const (
	KeyStage      = "stage"      // int64: rung of the ladder
	KeyPercentage = "percentage" // float64: what is acted on, in percent
	KeyBucket     = "bucket"     // int64: 0 to 9999
	KeyVersion    = "version"    // string: the rollout's revision
	KeyContextID  = "contextId"  // string: the targeting key
	KeyAge        = "age"        // float64: seconds since the state was last confirmed
	KeyKillSwitch = "killSwitch" // bool: true when a kill switch is on; else absent
)

// Options say how a provider watches its rollouts. Nil, and the zero value, is the default.
type Options struct {
	// Poll is how often the provider looks whether a rollout moved, for its events: 0 = 100 ms.
	// Evaluations do not wait for it.
	Poll time.Duration
	// Discover is how often a store is asked for new rollouts: 0 = 1 s.
	Discover time.Duration
	// StaleAfter is how old a state may get before the event PROVIDER_STALE; 0 = 10 s for rollouts
	// that something follows, and no limit for those that nothing does (stores in memory, replicas).
	// It changes no evaluation: that is the business of the stale policy of the rollout.
	StaleAfter time.Duration
	// Metrics are what Track may measure, declared for every rollout.
	Metrics []canary.Metric
	// Expose counts each evaluation as a decision, with its user. Where every request is tracked as an
	// outcome, that counts it already.
	Expose bool
	// Logger receives, once each, what is wrong with tracked events; nil is silence.
	Logger *slog.Logger
}

// probe is whom the provider asks about to see how a rollout stands.
const probe = "\x00libcanary openfeature provider"

// A Provider answers for a set of rollouts. It may be used from any goroutine.
type Provider struct {
	options  Options
	open     func(context.Context) error // brings in rollouts, or more of them; may be nil
	shut     func()
	rollouts atomic.Pointer[map[string]*watched]
	events   chan of.Event
	metrics  map[string]canary.Metric
	told     told

	mutex sync.Mutex // of what begins and ends
	stop  context.CancelFunc
	done  chan struct{}
}

// watched is a rollout and how it stood when last looked at.
type watched struct {
	canary.Decider
	followed bool // something confirms its state without being asked
	seen     standing
}

type standing struct {
	revision  uint64
	effective canary.BasisPoints
	killed    bool
	ready     bool
	stale     bool
	byPolicy  bool // decisions say "old" since it is stale
}

var (
	_ of.FeatureProvider          = (*Provider)(nil)
	_ of.ContextAwareStateHandler = (*Provider)(nil)
	_ of.EventHandler             = (*Provider)(nil)
)

// NewFromDeciders makes a provider of these rollouts: replicas, for example. It closes none of them.
func NewFromDeciders(deciders []canary.Decider, options *Options) *Provider {
	provider := newProvider(options)
	provider.open = func(context.Context) error {
		all := map[string]*watched{}
		for _, decider := range deciders {
			if decider != nil && decider.Name() != "" {
				if err := provider.declare(decider); err != nil {
					return err
				}
				all[decider.Name()] = &watched{Decider: decider}
			}
		}
		if known := provider.rollouts.Load(); known == nil {
			provider.rollouts.Store(&all)
		}
		return nil
	}
	return provider
}

func newProvider(options *Options) *Provider {
	provider := &Provider{events: make(chan of.Event, 16), shut: func() {}}
	if options != nil {
		provider.options = *options
	}
	if provider.options.Poll <= 0 {
		provider.options.Poll = 100 * time.Millisecond
	}
	if provider.options.Discover <= 0 {
		provider.options.Discover = time.Second
	}
	provider.metrics = map[string]canary.Metric{}
	for _, metric := range provider.options.Metrics {
		provider.metrics[metric.Name] = metric
	}
	return provider
}

// Metadata names the provider.
func (p *Provider) Metadata() of.Metadata { return of.Metadata{Name: "libcanary"} }

// Hooks are none.
func (p *Provider) Hooks() []of.Hook { return nil }

// EventChannel carries PROVIDER_CONFIGURATION_CHANGED when a rollout moves, with its name, and
// PROVIDER_STALE and PROVIDER_READY as states get old and fresh.
func (p *Provider) EventChannel() <-chan of.Event { return p.events }

// Init opens the rollouts.
func (p *Provider) Init(evaluation of.EvaluationContext) error {
	return p.InitWithContext(context.Background(), evaluation)
}

// InitWithContext opens the rollouts, for as long as ctx lasts.
func (p *Provider) InitWithContext(ctx context.Context, _ of.EvaluationContext) error {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if p.stop != nil {
		return nil
	}
	if err := p.open(ctx); err != nil {
		p.rollouts.Store(nil)
		p.shut()
		return &of.ProviderInitError{ErrorCode: of.GeneralCode, Message: err.Error()}
	}
	for _, rollout := range *p.rollouts.Load() {
		rollout.seen = p.look(rollout)
	}
	watch, stop := context.WithCancel(context.Background())
	p.stop, p.done = stop, make(chan struct{})
	go p.watch(watch, p.done)
	return nil
}

// Shutdown closes what Init opened.
func (p *Provider) Shutdown() { _ = p.ShutdownWithContext(context.Background()) }

// ShutdownWithContext closes what Init opened. The provider can be initialised again.
func (p *Provider) ShutdownWithContext(context.Context) error {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if p.stop == nil {
		return nil
	}
	p.stop()
	<-p.done
	p.stop = nil
	p.rollouts.Store(nil)
	p.shut()
	return nil
}

func (p *Provider) find(flag string) (canary.Decider, *of.ResolutionError) {
	known := p.rollouts.Load()
	if known == nil {
		err := of.NewProviderNotReadyResolutionError("the provider is not initialised, or was shut down")
		return nil, &err
	}
	if rollout := (*known)[flag]; rollout != nil {
		return rollout.Decider, nil
	}
	err := of.NewFlagNotFoundResolutionError(fmt.Sprintf("there is no rollout %q", flag))
	return nil, &err
}

// BooleanEvaluation decides for the user whose id is the targeting key.
func (p *Provider) BooleanEvaluation(_ context.Context, flag string, defaultValue bool,
	flat of.FlattenedContext) of.BoolResolutionDetail {
	rollout, err := p.find(flag)
	if err != nil {
		return failed(defaultValue, *err)
	}
	user, isText := flat[of.TargetingKey].(string)
	if user == "" {
		// Nobody is known, but where everybody gets the old path nobody has to be.
		decision := rollout.Explain(probe)
		if decision.Reason == canary.ReasonKilled ||
			decision.Effective == 0 && decision.Reason == canary.ReasonStatic {
			return resolved(decision, "")
		}
		if _, given := flat[of.TargetingKey]; given && !isText {
			return failed(defaultValue, of.NewInvalidContextResolutionError("the targeting key is no text"))
		}
		return failed(defaultValue, of.NewTargetingKeyMissingResolutionError(
			"the targeting key is the user id, and there is none"))
	}
	decision := rollout.Explain(user)
	p.expose(rollout, decision)
	switch decision.Reason {
	case canary.ReasonNotReady:
		return failed(defaultValue, of.NewProviderNotReadyResolutionError(
			fmt.Sprintf("no state of rollout %q could be loaded yet", flag)))
	case canary.ReasonInvalid:
		return failed(defaultValue, of.NewProviderNotReadyResolutionError(
			fmt.Sprintf("rollout %q is closed", flag)))
	}
	return resolved(decision, user)
}

var reasons = map[canary.Reason]of.Reason{
	canary.ReasonKilled:   of.StaticReason,
	canary.ReasonStale:    "STALE",
	canary.ReasonOverride: of.TargetingMatchReason,
	canary.ReasonStatic:   of.StaticReason,
	canary.ReasonSplit:    of.SplitReason,
}

func resolved(decision canary.Decision, user string) of.BoolResolutionDetail {
	metadata := of.FlagMetadata{
		KeyStage:      int64(decision.Stage),
		KeyPercentage: decision.Effective.Percent(),
		KeyVersion:    strconv.FormatUint(decision.Revision, 10),
		KeyAge:        decision.Age.Seconds(),
	}
	if user != "" {
		metadata[KeyBucket] = int64(decision.Bucket)
		metadata[KeyContextID] = user
	}
	if decision.Reason == canary.ReasonKilled {
		metadata[KeyKillSwitch] = true
	}
	return of.BoolResolutionDetail{
		Value: decision.New,
		ProviderResolutionDetail: of.ProviderResolutionDetail{
			Reason:       reasons[decision.Reason],
			Variant:      decision.Cohort(),
			FlagMetadata: metadata,
		},
	}
}

func failed[T any](value T, err of.ResolutionError) of.GenericResolutionDetail[T] {
	return of.GenericResolutionDetail[T]{
		Value: value,
		ProviderResolutionDetail: of.ProviderResolutionDetail{
			Reason:          of.ErrorReason,
			ResolutionError: err,
		},
	}
}

// mismatch is the answer to every question that is not boolean.
func mismatch[T any](p *Provider, flag string, value T) of.GenericResolutionDetail[T] {
	if _, err := p.find(flag); err != nil {
		return failed(value, *err)
	}
	return failed(value, of.NewTypeMismatchResolutionError(
		fmt.Sprintf("rollout %q is boolean: true for the new path", flag)))
}

// StringEvaluation answers TYPE_MISMATCH.
func (p *Provider) StringEvaluation(_ context.Context, flag string, defaultValue string,
	_ of.FlattenedContext) of.StringResolutionDetail {
	return mismatch(p, flag, defaultValue)
}

// FloatEvaluation answers TYPE_MISMATCH.
func (p *Provider) FloatEvaluation(_ context.Context, flag string, defaultValue float64,
	_ of.FlattenedContext) of.FloatResolutionDetail {
	return mismatch(p, flag, defaultValue)
}

// IntEvaluation answers TYPE_MISMATCH.
func (p *Provider) IntEvaluation(_ context.Context, flag string, defaultValue int64,
	_ of.FlattenedContext) of.IntResolutionDetail {
	return mismatch(p, flag, defaultValue)
}

// ObjectEvaluation answers TYPE_MISMATCH.
func (p *Provider) ObjectEvaluation(_ context.Context, flag string, defaultValue any,
	_ of.FlattenedContext) of.InterfaceResolutionDetail {
	return mismatch(p, flag, defaultValue)
}
