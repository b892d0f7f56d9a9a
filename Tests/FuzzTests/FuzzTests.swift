import Fuzzing
import Glibc
import KernelTestSupport
import Testing

/// Inputs that are nearly right, the same in every run. FIREBREAK_FUZZ_ROUNDS asks for more of them, FIREBREAK_FUZZ_SEED
/// for others; with FIREBREAK_FUZZ_LAST=FILE the input of the moment is in that file, also when the process ends.
@Suite struct FuzzTests {
  private static let rounds = getenv("FIREBREAK_FUZZ_ROUNDS").flatMap { Int(String(cString: $0)) } ?? 4000
  private static let seed = getenv("FIREBREAK_FUZZ_SEED").flatMap { UInt64(String(cString: $0)) } ?? 1
  private static let lastInput = getenv("FIREBREAK_FUZZ_LAST").map { String(cString: $0) }

  @Test(arguments: FuzzTarget.allCases)
  func nothingBreaks(_ target: FuzzTarget) {
    let mutator = Mutator(target)
    var dice = Dice(seed: Self.seed)
    var findings = 0
    for seed in Seeds.of(target) { run(target, seed, &findings) }
    for _ in 0..<Self.rounds where findings < 10 { run(target, mutator.input(&dice), &findings) }
  }

  private func run(_ target: FuzzTarget, _ input: [UInt8], _ findings: inout Int) {
    if let path = Self.lastInput { save(input, to: "\(path).\(target.rawValue)") }
    do {
      try target.run(input)
    } catch {
      findings += 1
      Issue.record("\(target): \(error)\n\(readable(input))")
    }
  }

  private func readable(_ input: [UInt8]) -> String {
    "input: "
      + input.prefix(4000).map { $0 >= 0x20 && $0 < 0x7f && $0 != 0x5c ? String(UnicodeScalar($0)) : hex($0) }
      .joined()
  }

  private func hex(_ byte: UInt8) -> String { "\\x" + (byte < 16 ? "0" : "") + String(byte, radix: 16) }

  private func save(_ input: [UInt8], to path: String) {
    guard let file = fopen(path, "w") else { return }
    fwrite(input, 1, input.count, file)
    fclose(file)
  }
}
