/// The hash by which the kernel spreads packets (Bob Jenkins' lookup3; linux/jhash.h).
package enum JenkinsHash {
  private static let start: UInt32 = 0xdead_beef

  /// Of 32-bit words (`jhash2`).
  package static func hash(_ words: [UInt32], seed: UInt32) -> UInt32 {
    let initial = start &+ UInt32(words.count) << 2 &+ seed
    var (a, b, c) = (initial, initial, initial)
    var rest = words[...]
    while rest.count > 3 {
      a &+= rest.removeFirst()
      b &+= rest.removeFirst()
      c &+= rest.removeFirst()
      mix(&a, &b, &c)
    }
    guard !rest.isEmpty else { return c }
    a &+= rest.removeFirst()
    b &+= rest.popFirst() ?? 0
    c &+= rest.popFirst() ?? 0
    return final(a, b, c)
  }

  /// The hash as one of the numbers below a limit (`reciprocal_scale`).
  package static func place(_ hash: UInt32, below limit: UInt32) -> UInt32 {
    UInt32((UInt64(hash) * UInt64(limit)) >> 32)
  }

  private static func mix(_ a: inout UInt32, _ b: inout UInt32, _ c: inout UInt32) {
    for (left, right) in [(4, 6), (8, 16), (19, 4)] as [(UInt32, UInt32)] {
      a = (a &- c) ^ rotate(c, left)
      c &+= b
      b = (b &- a) ^ rotate(a, right)
      a &+= c
      (a, b, c) = (c, a, b)
    }
  }

  private static func final(_ a: UInt32, _ b: UInt32, _ c: UInt32) -> UInt32 {
    var (a, b, c) = (a, b, c)
    c = (c ^ b) &- rotate(b, 14)
    a = (a ^ c) &- rotate(c, 11)
    b = (b ^ a) &- rotate(a, 25)
    c = (c ^ b) &- rotate(b, 16)
    a = (a ^ c) &- rotate(c, 4)
    b = (b ^ a) &- rotate(a, 14)
    return (c ^ b) &- rotate(b, 24)
  }

  private static func rotate(_ word: UInt32, _ bits: UInt32) -> UInt32 { word << bits | word >> (32 - bits) }
}
