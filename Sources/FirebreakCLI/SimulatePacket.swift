internal import ArgumentParser
internal import Firebreak

/// One packet in options.
struct PacketArguments: ParsableArguments {
  @Option(help: ArgumentHelp("The table that is asked.", valueName: "table"))
  var table: TableChoice?

  @Option(help: ArgumentHelp("The built-in chain where the packet begins.", valueName: "chain"))
  var chain: String?

  @Option(name: .customLong("in"), help: ArgumentHelp("The interface it came in by.", valueName: "interface"))
  var inInterface: String?

  @Option(name: .customLong("out"), help: ArgumentHelp("The interface it goes out by.", valueName: "interface"))
  var outInterface: String?

  @Option(name: [.customLong("src"), .customLong("source")], help: ArgumentHelp("From.", valueName: "address"))
  var src: String?

  @Option(name: [.customLong("dst"), .customLong("destination")], help: ArgumentHelp("To.", valueName: "address"))
  var dst: String?

  @Option(
    name: [.customLong("proto"), .customLong("protocol")],
    help: ArgumentHelp("IP protocol, by name or number.", valueName: "protocol"))
  var proto: String?

  @Option(help: ArgumentHelp("Source port.", valueName: "port"))
  var sport: String?

  @Option(help: ArgumentHelp("Destination port.", valueName: "port"))
  var dport: String?

  @Option(help: ArgumentHelp("The TCP flags that are set, or NONE.", valueName: "SYN,ACK,…"))
  var flags: String?

  @Option(help: ArgumentHelp("Type of an ICMP or ICMPv6 message.", valueName: "number"))
  var icmpType: String?

  @Option(help: ArgumentHelp("Its code.", valueName: "number"))
  var icmpCode: String?

  @Option(
    name: [.customLong("state"), .customLong("ctstate")],
    help: ArgumentHelp("What connection tracking says of it.", valueName: "NEW|ESTABLISHED|…"))
  var state: String?

  @Option(name: .customLong("ctdir"), help: ArgumentHelp("Its direction.", valueName: "ORIGINAL|REPLY"))
  var direction: String?

  @Option(
    name: .customLong("ctstatus"), help: ArgumentHelp("What its connection is, or NONE.", valueName: "SEEN_REPLY,…"))
  var statuses: String?

  @Option(help: ArgumentHelp("The connection's mark.", valueName: "number"))
  var connmark: String?

  @Option(help: ArgumentHelp("The packet's mark; 0 where nothing has marked it.", valueName: "number"))
  var mark: String?

  @Option(help: ArgumentHelp("Bytes of the packet with its IP header.", valueName: "bytes"))
  var length: String?

  @Option(
    name: [.customLong("ttl"), .customLong("hop-limit")], help: ArgumentHelp("TTL or hop limit.", valueName: "number"))
  var ttl: String?

  @Option(help: ArgumentHelp("The TOS byte or traffic class.", valueName: "number"))
  var tos: String?

  @Flag(help: "A second or later fragment.")
  var fragment = false

  @Option(help: ArgumentHelp("Numbers of its TCP options.", valueName: "2,4,…"))
  var tcpOptions: String?

  @Option(help: ArgumentHelp("The segment size that it announces.", valueName: "bytes"))
  var mss: String?

  @Option(help: ArgumentHelp("Source address of its frame.", valueName: "address"))
  var mac: String?

  @Option(help: ArgumentHelp("Whom its frame was for.", valueName: "unicast|broadcast|…"))
  var pkttype: String?

  @Option(help: ArgumentHelp("The whole packet from its IP header on.", valueName: "hexadecimal"))
  var bytes: String?

  private var said: [(field: PacketField, text: String)] {
    let all: [(PacketField, String?)] = [
      (.source, src), (.destination, dst), (.proto, proto), (.inInterface, inInterface),
      (.outInterface, outInterface), (.sourcePort, sport), (.destinationPort, dport), (.flags, flags),
      (.icmpType, icmpType), (.icmpCode, icmpCode), (.state, state), (.direction, direction), (.statuses, statuses),
      (.connectionMark, connmark), (.mark, mark), (.length, length), (.hopLimit, ttl), (.trafficClass, tos),
      (.fragment, fragment ? "true" : nil), (.tcpOptions, tcpOptions), (.maximumSegmentSize, mss), (.mac, mac),
      (.kind, pkttype), (.bytes, bytes),
    ]
    return all.compactMap { field, text in text.map { (field, $0) } }
  }

  /// The first option that is there.
  var firstSaid: String? {
    table != nil ? "--table" : chain != nil ? "--chain" : said.first.map { $0.field.option }
  }

  /// - Throws: ``CommandFailure`` that names the option.
  func question(_ site: SiteOptions) throws -> SimulationQuestion {
    let table = self.table?.name ?? .filter
    let chains = table.hooks.hooks.map(\.chainName.text)
    guard let chain else {
      throw CommandFailure(.usage, "--chain is missing", hint: "one of \(chains.joined(separator: ", "))")
    }
    guard let hook = table.hooks.hooks.first(where: { $0.chainName.text == chain }) else {
      throw CommandFailure(
        .usage, "--chain: '\(chain)' is not a built-in chain of table \(table), where packets begin",
        hint: suggestion(for: chain, among: chains))
    }
    var draft = PacketDraft(names: .system)
    for (field, text) in said {
      do throws(SyntaxError) {
        try draft.set(field, text)
      } catch {
        throw CommandFailure(.usage, error.message.replacingPrefix(field.name, with: field.option), hint: error.hint)
      }
    }
    for field in [PacketField.source, .destination, .proto] where !draft.has(field) {
      throw CommandFailure(.usage, "\(field.option) is missing", hint: "a packet has --src, --dst and --proto")
    }
    do throws(SyntaxError) {
      return SimulationQuestion(table: table, hook: hook, packet: try draft.finish())
    } catch {
      throw CommandFailure(.usage, error.message)
    }
  }
}

/// A packet, and where it is looked at.
struct SimulationQuestion {
  let table: TableName
  let hook: Hook
  let packet: Packet
}

extension PacketField {
  /// The option that says it.
  var option: String {
    switch self {
    case .state: "--state"
    default: "--" + String(name.map { $0 == "_" ? "-" : $0 })
    }
  }
}

extension String {
  fileprivate func replacingPrefix(_ prefix: String, with other: String) -> String {
    hasPrefix(prefix + ":") ? other + dropFirst(prefix.count) : self
  }
}
