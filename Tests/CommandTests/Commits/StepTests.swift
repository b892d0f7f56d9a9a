import Glibc
import KernelTestSupport
import Testing

/// Every step of a commit's life over five tables and two families, killed at each of its system calls, and with each of
/// its calls on files refused. FIREBREAK_FAULT_STEPS=all tries all of them, =5 every fifth; otherwise a sample, for about a
/// second each. FIREBREAK_FAULT_ONLY=word tries only steps with the word in their names.
@Suite(
  .requires(
    .legacyTables, .nfTables, .tool("strace"), .tool("nft"), .tool("pgrep"), .tool("iptables-legacy-save"),
    .tool("iptables-nft-save")))
struct StepTests {
  /// Every so manieth point is tried, however long it takes; nil for a sample within a second.
  private static let wish: Int? = getenv("FIREBREAK_FAULT_STEPS").flatMap { wish in
    let wish = String(cString: wish)
    return wish == "all" ? 1 : Int(wish).map { max(1, $0) }
  }
  private static let workers = wish == nil ? 3 : 6
  private static let sampleTime = Duration.seconds(1)
  private static let interval = wish ?? 7
  /// A prime number.
  private static let leap = 7919

  /// So many points are tried whatever the time: of fewer nothing can be said about all.
  private static let leastSample = 20
  private static let only = getenv("FIREBREAK_FAULT_ONLY").map { String(cString: $0) } ?? ""
  private static let steps = Step.allCases.filter { only.isEmpty || $0.rawValue.contains(only) }
    .flatMap { step in ["legacy", "nft"].map { (step, $0) } }

  /// Tries points on several benches side by side.
  private static func tryAll(
    _ step: Step, _ backend: String, _ what: String, _ points: (StepBench) throws -> [FaultPoint]
  ) throws -> (tried: Int, happened: Int, killed: Int) {
    let first = try StepBench(step, backend)
    let ends = try first.ends()
    let all = try points(first)
    let sample = stride(from: all.count % interval, to: all.count, by: interval).map { all[$0] }
    // The last ones come after the commit: time may end the sample, so it is taken in leaps.
    let chosen = wish != nil ? sample : sample.indices.map { sample[$0 * leap % sample.count] }
    let deadline = wish != nil ? nil : ContinuousClock.now + sampleTime
    let outcomes = try concurrently(
      (0..<workers).map { worker -> @Sendable () throws -> [StepBench.Outcome?] in
        {
          let bench = worker == 0 ? first : try StepBench(step, backend)
          let mine = worker == 0 ? ends : try bench.ends()
          var outcomes: [StepBench.Outcome?] = []
          for place in stride(from: worker, to: chosen.count, by: workers) {
            if let deadline, .now > deadline, outcomes.count * workers >= leastSample { break }
            outcomes.append(try bench.attempt(chosen[place], mine))
          }
          return outcomes
        }
      }
    ).flatMap { $0 }
    let known = outcomes.compactMap { $0 }
    let happened = known.count { $0.hasHappened }
    let killed = known.count { $0.wasKilled }
    print(
      "steps, \(backend), \(step.rawValue), \(what): \(outcomes.count) of \(all.count) points tried, \(killed) killed it; "
        + "in \(happened) it has happened, in \(known.count - happened) not, in \(outcomes.count - known.count) else")
    #expect(!outcomes.isEmpty)
    #expect(known.count == outcomes.count)
    return (outcomes.count, happened, killed)
  }

  @Test(arguments: steps) func killedAnywhere(_ step: Step, _ backend: String) throws {
    let found = try Self.tryAll(step, backend, "killed") { try $0.points("signal=SIGKILL") }
    #expect(found.killed * 10 > found.tried * 8, "memory may be asked for in other places from run to run")
    if Self.wish == 1 { #expect(found.happened > 1) }
  }

  /// What the state directory's disk may answer.
  private static let calls: Set<String> = [
    "openat", "write", "pwrite64", "rename", "fsync", "unlink", "mkdir", "flock", "read", "fstat", "newfstatat",
  ]

  @Test(arguments: steps) func filesAreRefused(_ step: Step, _ backend: String) throws {
    _ = try Self.tryAll(step, backend, "a call on its files is refused") { bench in
      let points = try bench.points("", touching: Self.calls)
      return ["ENOSPC", "EIO", "EINTR", "ENOMEM"].flatMap { error in
        points.map { FaultPoint(call: $0.call, number: $0.number, fault: "error=\(error)") }
      }
    }
  }
}
