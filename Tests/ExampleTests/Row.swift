import KernelTestSupport
import PacketLab
import Testing

/// What one kind of packet is to meet.
struct Row: Sendable, CustomTestStringConvertible {
  let what: String
  let direction: Lab.Direction
  let traffic: Traffic
  let outcome: Outcome

  /// A packet from outside.
  static func into(
    _ what: String, _ service: Service, to: String, from: String? = nil, port: UInt16 = 0, _ outcome: Outcome
  ) -> Row {
    Row(what: what, direction: .into, traffic: Traffic(service, to: to, from: from, sourcePort: port), outcome: outcome)
  }

  /// A packet of the machine to the world.
  static func out(
    _ what: String, _ service: Service, to: String, from: String? = nil, port: UInt16 = 0, _ outcome: Outcome
  ) -> Row {
    Row(what: what, direction: .out, traffic: Traffic(service, to: to, from: from, sourcePort: port), outcome: outcome)
  }

  /// A packet of the machine to itself.
  static func inside(_ what: String, _ service: Service, to: String, _ outcome: Outcome) -> Row {
    Row(what: what, direction: .inside, traffic: Traffic(service, to: to), outcome: outcome)
  }

  var testDescription: String { "\(what): \(traffic.service) to \(traffic.to)" }
}

extension Lab {
  /// Every packet meets what its row says, and an answer both before the rules are there and after they are taken back:
  /// what is refused in between is refused by the rules.
  func check(_ rows: [Row]) throws {
    try serve(.into, Self.services(rows) { $0 != .out })
    try serve(.out, Self.services(rows) { $0 == .out })
    for row in rows { try row.send(in: self, expecting: .answered, "before the rules") }
    for backend in Need.nfTables.whatIsMissing == nil ? ["legacy", "nft"] : ["legacy"] {
      self.backend = backend
      try apply()
      for row in rows { try row.send(in: self, expecting: row.outcome, "with the rules, \(backend)") }
      let back = try firebreak("rollback", ["-q"])
      #expect(back.status == 0, "\(back)")
      for row in rows { try row.send(in: self, expecting: .answered, "after the rollback, \(backend)") }
    }
  }

  private static func services(_ rows: [Row], _ belongs: (Direction) -> Bool) -> [Service] {
    Array(Set(rows.filter { belongs($0.direction) }.map(\.traffic.service)))
  }
}

extension Row {
  fileprivate func send(in lab: Lab, expecting expected: Outcome, _ when: String) throws {
    let outcome = try lab.send(traffic, direction, patience: expected == .dropped ? .milliseconds(150) : .seconds(5))
    #expect(outcome == expected, "\(testDescription), \(when): \(outcome) instead of \(expected)")
  }
}
