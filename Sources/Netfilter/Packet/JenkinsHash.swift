/// The hash by which the kernel spreads packets (Bob Jenkins' lookup3; linux/jhash.h).
package enum JenkinsHash {
  /// Of one 32-bit word (`jhash_1word`).
  package static func hash(_ word: UInt32, seed: UInt32) -> UInt32 {
    let initial = 0xdead_beef &+ 4 &+ seed
    var (a, b, c) = (word &+ initial, initial, initial)
    c = (c ^ b) &- rotate(b, 14)
    a = (a ^ c) &- rotate(c, 11)
    b = (b ^ a) &- rotate(a, 25)
    c = (c ^ b) &- rotate(b, 16)
    a = (a ^ c) &- rotate(c, 4)
    b = (b ^ a) &- rotate(a, 14)
    return (c ^ b) &- rotate(b, 24)
  }

  /// The hash as one of the numbers below a limit (`reciprocal_scale`).
  package static func place(_ hash: UInt32, below limit: UInt32) -> UInt32 {
    UInt32((UInt64(hash) * UInt64(limit)) >> 32)
  }

  private static func rotate(_ word: UInt32, _ bits: UInt32) -> UInt32 { word << bits | word >> (32 - bits) }
}
