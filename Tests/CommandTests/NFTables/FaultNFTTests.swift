import KernelTestSupport
import Testing

/// A commit to nf_tables over two tables and two families in which something goes wrong at every single step.
@Suite(
  .requires(.nfTables, .tool("nft"), .tool("strace"), .tool("iptables-nft-save"), .tool("iptables-nft-restore")),
  .serialized)
struct FaultNFTTests {
  private static func bench() throws -> FaultBench { try FaultBench(.apply(backend: "nft")) }

  /// The command is killed before each system call that it makes, from start to end.
  @Test func itIsKilledAnywhere() async throws {
    let found = try await FaultTests.tryAll("nft, killed before a system call", { try $0.points("signal=SIGKILL") }) {
      try Self.bench()
    }
    #expect(found.old > 50, "most calls come before the batch")
    #expect(found.new > 3, "and some behind it")
    #expect(found.killed * 10 > (found.old + found.new) * 9, "memory may be asked for in other places from run to run")
  }

  /// The same where no table existed before.
  @Test func itIsKilledWhileTablesAreNew() async throws {
    for call in ["sendto", "recvmsg", "rename", "close"] {
      let found = try await FaultTests.tryAll(
        "nft, killed at a \(call), no tables before", { try $0.points("signal=SIGKILL", only: call) }
      ) {
        try FaultBench(.apply(backend: "nft"), startsEmpty: true)
      }
      #expect(found.old + found.new > 0)
    }
  }

  /// An answer does not arrive, at each place where one is read: what the kernel holds is looked at, and the exit status
  /// tells it.
  @Test(arguments: ["EINTR", "EAGAIN", "ENOBUFS", "ETIMEDOUT", "ENOMEM"])
  func anAnswerIsLost(_ error: String) async throws {
    let found = try await FaultTests.tryAll(
      "nft, \(error) at a recvmsg", { try $0.points("error=\(error)", only: "recvmsg") }
    ) {
      try Self.bench()
    }
    #expect(found.new > 0, "the answer to the batch is not needed")
    if error == "EINTR" || error == "ENOBUFS" { #expect(found.old == 0, "all of it is asked for again") }
  }

  @Test(arguments: ["EINTR", "ENOBUFS", "EPERM"])
  func theKernelTakesNoMessage(_ error: String) async throws {
    let found = try await FaultTests.tryAll(
      "nft, \(error) at a sendto", { try $0.points("error=\(error)", only: "sendto") }
    ) {
      try Self.bench()
    }
    // The last question comes after the commit, and is for what may be remembered.
    #expect(error == "EINTR" ? found.old == 0 : found.new == 1 && found.old > 10)
  }

  /// Sizes of buffers are wishes.
  @Test func optionsAreRefused() async throws {
    let found = try await FaultTests.tryAll(
      "nft, EPERM at a setsockopt", { try $0.points("error=EPERM", only: "setsockopt") }
    ) {
      try Self.bench()
    }
    #expect(found.old == 0)
  }

  /// From one answer on none arrives: nobody knows then, it is said as loudly as can be, and `recover` finds out.
  @Test func everyAnswerIsLost() throws {
    let bench = try Self.bench()
    let states = try bench.states()
    let answers = try bench.points("error=ETIMEDOUT", only: "recvmsg").count
    var statuses: Set<Int32> = []
    for number in 1...answers {
      statuses.insert(
        try bench.attemptFrom(
          FaultPoint(call: "recvmsg", number: number, fault: "error=ETIMEDOUT", goesOn: true), states))
    }
    #expect(statuses == [0, 1, 83], "0 where all that is lost comes after the commit")
  }
}

/// Rules move from one interface to the other, and something goes wrong at every single step: they are never nowhere.
@Suite(
  .requires(
    .legacyTables, .nfTables, .tool("nft"), .tool("strace"), .tool("iptables-nft-save"), .tool("iptables-legacy-save")),
  .serialized)
struct FaultyMigrationTests {
  @Test(arguments: [("legacy", "nft"), ("nft", "legacy")])
  func itIsKilledAnywhere(_ source: String, _ target: String) async throws {
    let act = FaultyAct.migrate(from: source, to: target)
    for call in ["sendto", "recvmsg", "setsockopt", "getsockopt", "rename", "close", "wait4"] {
      let found = try await FaultTests.tryAll(
        "\(act), killed at a \(call)", { try $0.points("signal=SIGKILL", only: call) }
      ) {
        try FaultBench(act)
      }
      #expect(found.old + found.new > 0)
    }
  }

  @Test(arguments: [("legacy", "nft"), ("nft", "legacy")])
  func theKernelRefuses(_ source: String, _ target: String) async throws {
    let act = FaultyAct.migrate(from: source, to: target)
    for (call, error) in [("setsockopt", "ENOMEM"), ("sendto", "ENOBUFS"), ("recvmsg", "EAGAIN")] {
      let found = try await FaultTests.tryAll(
        "\(act), \(error) at a \(call)", { try $0.points("error=\(error)", only: call) }
      ) {
        try FaultBench(act)
      }
      #expect(found.old + found.new > 0)
    }
  }
}
