public import Netfilter
public import RuleStore
internal import RulesetAnalysis

/// Refuses rules that would not let in again who is working on the machine right now.
///
/// Each session is put to the new rules as its first packet would come (a SYN, connection state NEW, through raw, mangle,
/// nat and filter to the machine itself), and then the machine's answer on its way out. What cannot be told because it
/// depends on state counts as stopped.
public struct LockoutGuard: Sendable {
  private let sessions: [RemoteSession]

  public init(_ sessions: [RemoteSession] = RemoteSession.all) { self.sessions = sessions }

  /// The rules that a plan would bring stop a session.
  public struct Lockout: Error, Hashable, Sendable {
    public let session: RemoteSession
    /// What stops it: `rule 3 of chain INPUT, table IPv4 filter`, or a policy.
    public let culprit: String
    /// The rule as iptables-save prints it; nil for a policy.
    public let text: String?
    public let position: SourcePosition?
    /// It may get through, depending on what no rule tells.
    public let isUncertain: Bool
    /// The answer is stopped, not the packet that comes in.
    public let isAnswer: Bool
  }

  /// - Parameter store: for the tables that the plan leaves alone.
  /// - Throws: ``Lockout`` for the first session that would be stopped; ``BackendError`` when tables cannot be read.
  public func inspect(_ plan: Plan, _ store: RuleStore, names: Names = .wellKnown) throws {
    guard !sessions.isEmpty else { return }
    let changing = Set(plan.steps.map(\.id.family))
    for session in sessions where changing.contains(session.peer.family) {
      let family = session.peer.family
      let ids = Set(TableName.allCases.map { TableID($0, family) })
      let planned = plan.steps.filter { $0.id.family == family }
      let kept = try store.backend.snapshot(of: .only(ids.subtracting(planned.map(\.id)))).ruleset
      let rules = kept.only(family).replacing(with: Ruleset(planned.map(\.after)))
      if let lockout = Passage(rules, names).lockout(of: session) { throw lockout }
    }
  }
}

extension LockoutGuard.Lockout: CustomStringConvertible {
  public var description: String {
    let what = isAnswer ? "the answer to a new connection" : "a new connection"
    return "\(what) from \(session.peer) to port \(session.localPort), where somebody is logged in, "
      + "\(isUncertain ? "may be" : "would be") stopped by \(culprit)\(text.map { ": \($0)" } ?? "")"
  }
}

/// The way of a packet through all tables of one family.
private struct Passage {
  let rules: Ruleset
  let names: Names

  init(_ rules: Ruleset, _ names: Names) {
    self.rules = rules
    self.names = names
  }

  private static let way: [(hook: Hook, tables: [TableName])] = [
    (.prerouting, [.raw, .mangle, .nat]), (.input, [.mangle, .filter, .security, .nat]),
  ]
  /// Connection tracking knows the answer's connection, so that nat is not asked.
  private static let wayBack: [(hook: Hook, tables: [TableName])] = [
    (.output, [.raw, .mangle, .filter, .security]), (.postrouting, [.mangle]),
  ]
  private static let redirecting: Set<String> = ["DNAT", "REDIRECT", "NETMAP", "TPROXY"]
  /// A SYN with the usual options.
  private static let length = 60
  private static let hopLimit: UInt8 = 64

  func lockout(of session: RemoteSession) -> LockoutGuard.Lockout? {
    stop(first(session), Self.way, session, isAnswer: false)
      ?? stop(answer(session), Self.wayBack, session, isAnswer: true)
  }

  private func first(_ session: RemoteSession) -> Packet {
    var packet = Packet(source: session.peer, destination: session.local, proto: .tcp, inInterface: session.interface)
    packet.sourcePort = session.peerPort
    packet.destinationPort = session.localPort
    packet.tcpFlags = .syn
    packet.connection.state = .new
    packet.connection.direction = .original
    packet.kind = .unicast
    packet.mark = 0
    packet.length = Self.length
    packet.hopLimit = Self.hopLimit
    return packet
  }

  private func answer(_ session: RemoteSession) -> Packet {
    var packet = Packet(source: session.local, destination: session.peer, proto: .tcp, outInterface: session.interface)
    packet.sourcePort = session.localPort
    packet.destinationPort = session.peerPort
    packet.tcpFlags = [.syn, .ack]
    packet.connection.state = .established
    packet.connection.direction = .reply
    packet.mark = 0
    packet.length = Self.length
    packet.hopLimit = Self.hopLimit
    return packet
  }

  private func stop(
    _ packet: Packet, _ way: [(hook: Hook, tables: [TableName])], _ session: RemoteSession, isAnswer: Bool
  ) -> LockoutGuard.Lockout? {
    var packet = packet
    for (hook, tables) in way {
      for name in tables {
        guard let table = rules[name, session.peer.family], table.chains.contains(where: { $0.hook == hook }),
          let simulator = try? Simulator(table)
        else { continue }
        let decision = simulator.decide(packet, at: hook)
        if let culprit = culprit(decision, simulator) {
          return LockoutGuard.Lockout(
            session: session, culprit: culprit.name, text: culprit.text, position: culprit.position,
            isUncertain: decision.verdict == .unknown, isAnswer: isAnswer)
        }
        // What a rule marked the packet with is not handed on.
        if decision.trace.contains(where: { simulator.rule(at: $0).target.extensionName?.contains("MARK") == true }) {
          packet.mark = nil
        }
      }
    }
    return nil
  }

  /// Who stops the packet or sends it elsewhere; nil where it goes on.
  private func culprit(_ decision: Decision, _ simulator: Simulator) -> (
    name: String, text: String?, position: SourcePosition?
  )? {
    let table = simulator.table
    func rule(_ place: RulePlace) -> (name: String, text: String?, position: SourcePosition?) {
      let chain = table.chains[place.chain]
      let text = "-A \(chain.name)" + SaveText.rule(chain.rules[place.rule], family: table.family, names: names)
      return (
        "rule \(place.rule + 1) of chain \(chain.name), table \(table.id)", text, simulator.position(of: place)
      )
    }
    switch (decision.verdict, decision.by) {
    case (.accept, .rule(let place)?):
      let target = simulator.rule(at: place).target.extensionName
      return target.map(Self.redirecting.contains) == true ? rule(place) : nil
    case (.accept, _): return nil
    case (.unknown, _):
      return decision.depends.last.map { rule($0.place) } ?? ("table \(table.id)", nil, nil)
    case (_, .rule(let place)?): return rule(place)
    case (_, .policy(let chain)?):
      return ("the policy of chain \(table.chains[chain].name), table \(table.id)", nil, nil)
    case (_, .connection?), (_, .header?), (_, nil): return ("table \(table.id)", nil, nil)
    }
  }
}
