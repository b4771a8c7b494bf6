// SPDX-License-Identifier: MIT

package canary

import (
	"crypto/sha256"
	"encoding/binary"
	"unsafe"
)

const (
	// Buckets is how many places the ramp has.
	Buckets = 10000
	// NoBucket stands in a [Decision] for the bucket of an invalid user id.
	NoBucket = -1

	saltMax      = 128
	stackMessage = 512 // salt, colon and id up to this size are hashed without allocating
)

// Hash is algorithm 1 in pure Go: the first four bytes, big-endian, of SHA-256 of user, or of
// salt ":" user when there is a salt. A frozen contract: it never changes, in no version and no
// language. An empty user has a hash like any other bytes, but no decision: it always gets "old".
func Hash(salt, user string) uint32 {
	if salt == "" {
		return first(unsafe.Slice(unsafe.StringData(user), len(user)))
	}
	var space [stackMessage]byte
	message := append(append(append(space[:0], salt...), ':'), user...)
	return first(message)
}

func first(message []byte) uint32 {
	digest := sha256.Sum256(message)
	return binary.BigEndian.Uint32(digest[:4])
}

// BucketOf is the place on the ramp, 0 to 9999, of a user with this hash.
func BucketOf(hash uint32) int {
	return int(hash%100*100 + hash/100%100)
}
