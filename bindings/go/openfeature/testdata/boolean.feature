# SPDX-License-Identifier: MIT
# What a boolean provider for staged rollouts answers, in the steps of the specification's own suite.
# The flags are made in gherkin_test.go.
Feature: Rollouts as boolean flags

  Background:
    Given a stable provider

  Scenario Outline: The share decides
    Given a Boolean-flag with key "<key>" and a fallback value "<default>"
    And a context containing a targeting key with value "<user>"
    When the flag was evaluated with details
    Then the resolved details value should be "<value>"
    And the flag key should be "<key>"
    And the variant should be "<variant>"
    And the reason should be "<reason>"
    And the error-code should be ""
    Examples: by bucket, at the ends of the ramp, and pinned
      | key               | default | user  | value | variant | reason          |
      | split-flag        | false   | alice | true  | new     | SPLIT           |
      | split-flag        | true    | bob   | false | old     | SPLIT           |
      | boolean-flag      | false   | bob   | true  | new     | STATIC          |
      | boolean-zero-flag | true    | alice | false | old     | STATIC          |
      | pinned-flag       | false   | carol | true  | new     | TARGETING_MATCH |
    Examples: killed, and too old
      | key         | default | user  | value | variant | reason |
      | killed-flag | true    | alice | false | old     | STATIC |
      | stale-flag  | true    | alice | false | old     | STALE  |

  Scenario Outline: Nobody is known
    Given a Boolean-flag with key "<key>" and a fallback value "true"
    And a context containing a targeting key with value ""
    When the flag was evaluated with details
    Then the resolved details value should be "<value>"
    And the reason should be "<reason>"
    And the error-code should be "<code>"
    Examples:
      | key               | value | reason | code                  |
      | split-flag        | true  | ERROR  | TARGETING_KEY_MISSING |
      | killed-flag       | false | STATIC |                       |
      | boolean-zero-flag | false | STATIC |                       |

  Scenario Outline: What cannot be answered
    Given a <type>-flag with key "<key>" and a fallback value "<default>"
    When the flag was evaluated with details
    Then the resolved details value should be "<default>"
    And the reason should be "ERROR"
    And the error-code should be "<code>"
    Examples:
      | type    | key          | default | code               |
      | Boolean | no-such-flag | true    | FLAG_NOT_FOUND     |
      | String  | boolean-flag | hello   | TYPE_MISMATCH      |
      | Integer | boolean-flag | 7       | TYPE_MISMATCH      |
      | Float   | boolean-flag | 0.5     | TYPE_MISMATCH      |
      | Boolean | empty-flag   | false   | PROVIDER_NOT_READY |

  Scenario: Too old is told
    Given a stale provider
    Then the provider status should be "STALE"
