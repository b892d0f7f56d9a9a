import KernelTestSupport
import PacketLab
import Testing

/// The machine that an example is for, and everybody else: two namespaces with veth pairs between them.
final class Lab {
  /// A device of the machine and the wire behind it.
  struct Wire {
    let device: String
    /// The machine's addresses on it.
    let machine: [String]
    /// Everybody else's.
    let others: [String]

    init(_ device: String, machine: [String], others: [String]) {
      self.device = device
      self.machine = machine
      self.others = others
    }
  }

  let machine: TestNamespace
  let others: TestNamespace
  let files: [String]
  private var responders: [Responder] = []
  /// Which kernel interface rules go to.
  var backend = "legacy"

  /// Puts the machine up, without rules.
  /// - Parameter files: of the example, relative to `examples`.
  init(_ files: [String], _ wires: [Wire]) throws {
    self.files = files.map { "\(Built.packageDirectory)/examples/\($0)" }
    machine = try TestNamespace()
    others = try TestNamespace()
    // As many refusals as there are packets: the kernel's limit on ICMP errors would make a row depend on those before.
    for namespace in [machine, others] {
      try namespace.require(["sysctl", "-qw", "net.ipv4.icmp_ratelimit=0", "net.ipv6.icmp.ratelimit=0"])
    }
    for wire in wires { try connect(wire) }
  }

  private func connect(_ wire: Wire) throws {
    let device = wire.device
    try require([
      "ip", "link", "add", device, "netns", machine.name, "type", "veth", "peer", "name", device, "netns", others.name,
    ])
    for (namespace, addresses) in [(machine, wire.machine), (others, wire.others)] {
      for address in addresses {
        let isIPv6 = address.contains(":")
        try require(
          ["ip", "-n", namespace.name, "address", "add", address, "dev", device] + (isIPv6 ? ["nodad"] : []))
      }
      try require(["ip", "-n", namespace.name, "link", "set", device, "up"])
    }
  }

  private func require(_ argv: [String]) throws {
    let result = try runProcess(argv)
    guard result.status == 0 else { throw ProcessFailure("\(argv.joined(separator: " ")): \(result)") }
  }

  // MARK: Rules

  @discardableResult
  func firebreak(_ command: String, _ options: [String] = [], files: Bool = false) throws -> ProcessResult {
    let arguments = [command, "--backend", backend, "--netns", machine.name, "--state-dir", machine.stateDirectory]
    return try runProcess(
      [Built.firebreak] + arguments + options + (files ? self.files : []),
      environment: ["XTABLES_LOCKFILE": machine.lockPath])
  }

  /// Puts the example's rules into the machine's kernel, and asks the kernel whether they are there.
  func apply() throws {
    let applied = try firebreak("apply", ["-q"], files: true)
    #expect(applied.status == 0 && applied.output.isEmpty && applied.errors.isEmpty, "\(applied)")
    let again = try firebreak("apply", ["--check", "--diff"], files: true)
    #expect(again.stdout.hasPrefix("unchanged"), "the kernel holds something else: \(again)")
  }

  // MARK: Packets

  /// Where packets come from.
  enum Direction {
    /// From the others to the machine.
    case into
    /// From the machine to the others.
    case out
    /// From the machine to itself.
    case inside
  }

  /// Has these services answer; until then the kernel says that nobody is there.
  func serve(_ direction: Direction, _ services: [Service]) throws {
    responders.append(try Responder(namespace: (direction == .out ? others : machine).name, services))
  }

  func send(_ traffic: Traffic, _ direction: Direction, patience: Duration) throws -> Outcome {
    try Probe(namespace: (direction == .into ? others : machine).name, patience: patience).send(traffic)
  }
}
