/// Drops the packet and tells its sender (`struct ipt_reject_info`, linux/netfilter_ipv4/ipt_REJECT.h;
/// `struct ip6t_reject_info`, linux/netfilter_ipv6/ip6t_REJECT.h).
public struct Reject: Target {
  public var reply: RejectReply

  public init(_ reply: RejectReply) { self.reply = reply }
}

/// What the sender is told: each family has its own errors and its own kernel numbers for them.
public enum RejectReply: Hashable, Sendable {
  case ipv4(RejectReply4)
  case ipv6(RejectReply6)
}

/// Answers to an IPv4 packet. Raw values are `enum ipt_reject_with`.
public enum RejectReply4: UInt32, Hashable, Sendable, CaseIterable {
  case networkUnreachable = 0
  case hostUnreachable = 1
  case protocolUnreachable = 2
  case portUnreachable = 3
  case networkProhibited = 5
  case hostProhibited = 6
  case tcpReset = 7
  case administrativelyProhibited = 8
}

/// Answers to an IPv6 packet. Raw values are `enum ip6t_reject_with`.
public enum RejectReply6: UInt32, Hashable, Sendable, CaseIterable {
  case noRoute = 0
  case administrativelyProhibited = 1
  case addressUnreachable = 3
  case portUnreachable = 4
  case tcpReset = 6
  case policyFailed = 7
  case routeRejected = 8
}

extension RejectReply {
  /// The answer where none is named.
  public static func portUnreachable(_ family: Family) -> RejectReply {
    family == .ipv4 ? .ipv4(.portUnreachable) : .ipv6(.portUnreachable)
  }

  public static func tcpReset(_ family: Family) -> RejectReply { family == .ipv4 ? .ipv4(.tcpReset) : .ipv6(.tcpReset) }

  public var family: Family {
    switch self {
    case .ipv4: .ipv4
    case .ipv6: .ipv6
    }
  }

  /// The name that is printed and the second one that is read.
  fileprivate var names: (full: StaticString, alias: StaticString) {
    switch self {
    case .ipv4(.networkUnreachable): ("icmp-net-unreachable", "net-unreach")
    case .ipv4(.hostUnreachable): ("icmp-host-unreachable", "host-unreach")
    case .ipv4(.protocolUnreachable): ("icmp-proto-unreachable", "proto-unreach")
    case .ipv4(.portUnreachable): ("icmp-port-unreachable", "port-unreach")
    case .ipv4(.networkProhibited): ("icmp-net-prohibited", "net-prohib")
    case .ipv4(.hostProhibited): ("icmp-host-prohibited", "host-prohib")
    case .ipv4(.tcpReset): ("tcp-reset", "tcp-rst")
    case .ipv4(.administrativelyProhibited): ("icmp-admin-prohibited", "admin-prohib")
    case .ipv6(.noRoute): ("icmp6-no-route", "no-route")
    case .ipv6(.administrativelyProhibited): ("icmp6-adm-prohibited", "adm-prohibited")
    case .ipv6(.addressUnreachable): ("icmp6-addr-unreachable", "addr-unreach")
    case .ipv6(.portUnreachable): ("icmp6-port-unreachable", "port-unreach")
    case .ipv6(.tcpReset): ("tcp-reset", "tcp-reset")
    case .ipv6(.policyFailed): ("icmp6-policy-fail", "policy-fail")
    case .ipv6(.routeRejected): ("icmp6-reject-route", "reject-route")
    }
  }

  fileprivate var number: UInt32 {
    switch self {
    case .ipv4(let reply): reply.rawValue
    case .ipv6(let reply): reply.rawValue
    }
  }

  fileprivate static func all(_ family: Family) -> [RejectReply] {
    family == .ipv4 ? RejectReply4.allCases.map { .ipv4($0) } : RejectReply6.allCases.map { .ipv6($0) }
  }

  fileprivate init?(number: UInt32, family: Family) {
    guard let reply = Self.all(family).first(where: { $0.number == number }) else { return nil }
    self = reply
  }
}

// MARK: Syntax

extension Reject {
  public static let definition = ExtensionDefinition(
    "REJECT", summary: "drop the packet and tell its sender", tables: [.filter], hooks: [.input, .forward, .output],
    options: [OptionSpec("--reject-with", .custom("TYPE"), "what to tell; the port is unreachable where none is named")]
  )

  public init(parsing options: OptionValues) throws(SyntaxError) {
    reply = .portUnreachable(options.family)
    guard let token = options.token("--reject-with") else { return }
    reply = try Self.reply(token, options.family)
    guard reply == .tcpReset(options.family) else { return }
    guard let proto = options.proto, proto == Negatable(.tcp) else {
      throw options.error("--reject-with", "only TCP connections can be reset", hint: "the rule has to say -p tcp")
        .byKernel
    }
  }

  /// A name or an alias in any case, or a beginning that one answer alone has.
  private static func reply(_ token: Token, _ family: Family) throws(SyntaxError) -> RejectReply {
    let all = RejectReply.all(family)
    if let exact = all.first(where: {
      token.equalsIgnoringCase($0.names.full) || token.equalsIgnoringCase($0.names.alias)
    }) {
      return exact
    }
    let begun = all.filter {
      token.count > 0 && ($0.names.full.begins(with: token) || $0.names.alias.begins(with: token))
    }
    if begun.count == 1 { return begun[0] }
    let candidates = begun.isEmpty ? all : begun
    let problem = begun.isEmpty ? "is not an answer to \(family) packets" : "stands for several answers"
    throw SyntaxError(
      at: token, "--reject-with: '\(token.string)' \(problem)",
      hint: suggestion(for: token.string, among: candidates.map { "\($0.names.full)" }))
  }

  public func print(to out: inout RuleWriter) {
    out.option("--reject-with")
    out.word(reply.names.full)
  }

  public func list(to out: inout RuleWriter) {
    out.word("reject-with")
    out.word(reply.names.full)
  }
}

extension StaticString {
  /// Whether it begins with the word, in any case.
  fileprivate func begins(with token: Token) -> Bool {
    token.count <= utf8CodeUnitCount
      && token.bytes.indices.allSatisfy { asciiLowercased(token.bytes[$0]) == asciiLowercased(utf8Start[$0]) }
  }
}

// MARK: Kernel bytes

extension Reject {
  /// - Precondition: the answer is of the rule's family.
  public func encode(to out: inout ByteWriter, family: Family) {
    precondition(reply.family == family, "an \(reply.family) answer cannot stand in an \(family) rule")
    out.write(reply.number)
  }

  public init(decoding bytes: inout ByteReader, revision: UInt8, family: Family) throws(WireError) {
    guard let reply = RejectReply(number: try bytes.uint32("with"), family: family) else { throw bytes.invalid("with") }
    self.init(reply)
  }
}

// MARK: Meaning

extension Reject {
  /// Dropped in any case. The kernel keeps silent to later fragments, resets, errors and packets to many hosts.
  public func act(on packet: inout Packet) -> TargetOutcome { .reject }
}
