import Glibc

/// How many times what random tests do in a few seconds: FIREBREAK_SIMULATOR_ROUNDS.
enum Rounds {
  static let count = getenv("FIREBREAK_SIMULATOR_ROUNDS").flatMap { Int(String(cString: $0)) } ?? 1
}

/// Numbers that are the same for the same seed (SplitMix64).
struct Dice: RandomNumberGenerator {
  private var state: UInt64

  init(_ seed: UInt64) { state = seed &* 0x2545_f491_4f6c_dd1d &+ 1 }

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var bits = state
    bits = (bits ^ (bits >> 30)) &* 0xbf58_476d_1ce4_e5b9
    bits = (bits ^ (bits >> 27)) &* 0x94d0_49bb_1331_11eb
    return bits ^ (bits >> 31)
  }

  mutating func below(_ limit: Int) -> Int { Int.random(in: 0..<limit, using: &self) }
  mutating func isLucky(oneIn count: Int) -> Bool { below(count) == 0 }
  mutating func pick<Value>(_ values: [Value]) -> Value { values[below(values.count)] }
  mutating func pick(_ values: String...) -> String { pick(values) }
  mutating func not(oneIn count: Int) -> String { isLucky(oneIn: count) ? "! " : "" }
}
