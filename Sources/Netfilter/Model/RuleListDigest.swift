extension RuleList {
  /// A digest of the rules in their order, counters aside. It tells lists apart; it is no defence against intent.
  package var digest: UInt64 {
    let counters = RuleCodec.Layout.of(family).counters
    var sum = DigestLanes()
    bytes.withUnsafeBytes { all in
      for index in indices {
        let range = range(of: index)
        sum.add(all, range.lowerBound..<range.lowerBound + counters)
        sum.add(all, range.lowerBound + counters + 16..<range.upperBound)
      }
    }
    return sum.value
  }
}

/// Four sums side by side: a processor works on all of them while each waits for its multiplication.
private struct DigestLanes {
  private var a: UInt64 = 0x243f_6a88_85a3_08d3
  private var b: UInt64 = 0x1319_8a2e_0370_7344
  private var c: UInt64 = 0xa409_3822_299f_31d0
  private var d: UInt64 = 0x082e_fa98_ec4e_6c89

  mutating func add(_ all: UnsafeRawBufferPointer, _ range: Range<Int>) {
    var offset = range.lowerBound
    func word(_ place: Int) -> UInt64 { all.loadUnaligned(fromByteOffset: offset + 8 * place, as: UInt64.self) }
    while offset + 32 <= range.upperBound {
      a = Self.mix(a, word(0))
      b = Self.mix(b, word(1))
      c = Self.mix(c, word(2))
      d = Self.mix(d, word(3))
      offset += 32
    }
    while offset + 8 <= range.upperBound {
      a = Self.mix(a, word(0))
      offset += 8
    }
    var rest = UInt64(range.count)
    while offset < range.upperBound {
      rest = rest << 8 | UInt64(all[offset])
      offset += 1
    }
    b = Self.mix(b, rest)
  }

  var value: UInt64 { Self.mix(Self.mix(Self.mix(a, b), c), d) }

  private static func mix(_ sum: UInt64, _ word: UInt64) -> UInt64 {
    let product = (sum ^ word) &* 0x9e37_79b9_7f4a_7c15
    return product << 29 | product >> 35
  }
}
