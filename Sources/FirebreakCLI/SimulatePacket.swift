internal import Firebreak

/// One packet in options.
struct PacketArguments: ParameterGroup {
  @Option("--table", help: "The table that is asked.", placeholder: "table")
  var table: TableChoice?

  @Option("--chain", help: "The built-in chain where the packet begins.", placeholder: "chain")
  var chain: String?

  @Option("--in", help: "The interface it came in by.", placeholder: "interface")
  var inInterface: String?

  @Option("--out", help: "The interface it goes out by.", placeholder: "interface")
  var outInterface: String?

  @Option("--src", "--source", help: "From.", placeholder: "address")
  var src: String?

  @Option("--dst", "--destination", help: "To.", placeholder: "address")
  var dst: String?

  @Option("--proto", "--protocol", help: "IP protocol, by name or number.", placeholder: "protocol")
  var proto: String?

  @Option("--sport", help: "Source port.", placeholder: "port")
  var sport: String?

  @Option("--dport", help: "Destination port.", placeholder: "port")
  var dport: String?

  @Option("--flags", help: "The TCP flags that are set, or NONE.", placeholder: "SYN,ACK,…")
  var flags: String?

  @Option("--icmp-type", help: "Type of an ICMP or ICMPv6 message.", placeholder: "number")
  var icmpType: String?

  @Option("--icmp-code", help: "Its code.", placeholder: "number")
  var icmpCode: String?

  @Option("--state", "--ctstate", help: "What connection tracking says of it.", placeholder: "NEW|ESTABLISHED|…")
  var state: String?

  @Option("--ctdir", help: "Its direction.", placeholder: "ORIGINAL|REPLY")
  var direction: String?

  @Option("--ctstatus", help: "What its connection is, or NONE.", placeholder: "SEEN_REPLY,…")
  var statuses: String?

  @Option("--connmark", help: "The connection's mark.", placeholder: "number")
  var connmark: String?

  @Option("--mark", help: "The packet's mark; 0 where nothing has marked it.", placeholder: "number")
  var mark: String?

  @Option("--length", help: "Bytes of the packet with its IP header.", placeholder: "bytes")
  var length: String?

  @Option("--ttl", "--hop-limit", help: "TTL or hop limit.", placeholder: "number")
  var ttl: String?

  @Option("--tos", help: "The TOS byte or traffic class.", placeholder: "number")
  var tos: String?

  @Flag("--fragment", help: "A second or later fragment.")
  var fragment = false

  @Option("--tcp-options", help: "Numbers of its TCP options.", placeholder: "2,4,…")
  var tcpOptions: String?

  @Option("--mss", help: "The segment size that it announces.", placeholder: "bytes")
  var mss: String?

  @Option("--mac", help: "Source address of its frame.", placeholder: "address")
  var mac: String?

  @Option("--pkttype", help: "Whom its frame was for.", placeholder: "unicast|broadcast|…")
  var pkttype: String?

  @Option("--bytes", help: "The whole packet from its IP header on.", placeholder: "hexadecimal")
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
