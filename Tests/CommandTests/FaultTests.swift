import KernelTestSupport
import Testing

/// A commit over two tables and two families in which something goes wrong at every single step.
@Suite(.requires(.legacyTables, .tool("strace"), .tool("iptables-legacy-save")), .serialized)
struct FaultTests {
  private static let workers = 4

  /// Tries points on several benches side by side and counts what became of them.
  static func tryAll(
    _ what: String, _ points: @Sendable (FaultBench) throws -> [FaultPoint],
    on bench: @escaping @Sendable () throws -> FaultBench
  ) async throws -> (old: Int, new: Int, killed: Int) {
    let first = try bench()
    let states = try first.states()
    #expect(states.old != states.new)
    let all = try points(first)
    let outcomes = try await withThrowingTaskGroup(of: [FaultBench.Outcome?].self) { group in
      for worker in 0..<Self.workers {
        group.addTask {
          let bench = try bench()
          return try stride(from: worker, to: all.count, by: Self.workers).map { try bench.attempt(all[$0], states) }
        }
      }
      return try await group.reduce(into: []) { $0 += $1 }
    }
    let known = outcomes.compactMap { $0 }
    let new = known.count { $0.isNew }
    let old = known.count - new
    let killed = known.count { $0.wasKilled }
    print(
      "faults, \(what): \(all.count) points tried, \(killed) killed it; \(old) left the old rules, \(new) the new ones, "
        + "\(all.count - known.count) something else")
    #expect(known.count == all.count)
    return (old, new, killed)
  }

  /// The kernel refuses one call: it is the old state, and the command says that it failed.
  @Test(arguments: ["EINVAL", "ENOMEM", "EPERM"])
  func theKernelRefusesACall(_ error: String) async throws {
    let found = try await Self.tryAll(
      "\(error) at a setsockopt", { try $0.points("error=\(error)", only: "setsockopt") }
    ) {
      try FaultBench()
    }
    #expect(found.old == 8 && found.new == 0, "each of four tables is replaced and then given its counters")
  }

  /// The command is killed before each system call that it makes, from start to end.
  @Test func itIsKilledAnywhere() async throws {
    let found = try await Self.tryAll("killed before a system call", { try $0.points("signal=SIGKILL") }) {
      try FaultBench()
    }
    #expect(found.old > 50, "most calls come before the first write")
    #expect(found.new > 1)
    #expect(found.killed * 10 > (found.old + found.new) * 9, "memory may be asked for in other places from run to run")
  }

  /// The same where no table existed before.
  @Test func itIsKilledWhileTablesAreNew() async throws {
    _ = try await Self.tryAll(
      "killed at a setsockopt, tables empty before", { try $0.points("signal=SIGKILL", only: "setsockopt") }
    ) {
      try FaultBench(startsEmpty: true)
    }
  }

  /// Large tables, which are replaced without libiptc.
  @Test(arguments: ["signal=SIGKILL", "error=ENOMEM"])
  func largeTables(_ fault: String) async throws {
    let found = try await Self.tryAll(
      "\(fault) at a setsockopt, large tables", { try $0.points(fault, only: "setsockopt") }
    ) {
      try FaultBench(filler: 400)
    }
    #expect(found.old + found.new == 8)
  }

  /// One table has no keeper: what it lost returns with the next command.
  @Test func oneTableIsKilledAnywhereAfterItsSnapshot() async throws {
    for call in ["setsockopt", "getsockopt", "rename", "close"] {
      _ = try await Self.tryAll("one table, killed at a \(call)", { try $0.points("signal=SIGKILL", only: call) }) {
        try FaultBench(tables: ["filter"], families: [4])
      }
    }
  }

  /// Everything fails from one call on, putting back too: the command says so as loudly as it can, and `recover` mends it.
  @Test func puttingBackFailsToo() async throws {
    let bench = try FaultBench()
    let states = try bench.states()
    for number in 2...8 { try bench.mend(from: number, states) }
  }
}
