import Glibc
import KernelTestSupport
import Netfilter
import PacketLab
import XTablesStore

/// A router between two others: `left` - eth0, the router, eth1 - `right`. The two have no addresses and never speak by
/// themselves; what a test sends goes out as frames, so that a packet may be anything.
final class RouterLab {
  enum Side: Int {
    case left = 1
    case right = 2

    var other: Side { self == .left ? .right : .left }
    /// The router's device, and the one at the other end.
    var routerMAC: [UInt8] { [2, 0, 0, 0, UInt8(rawValue), 1] }
    var mac: [UInt8] { [2, 0, 0, 0, UInt8(rawValue), 2] }
  }

  private let router: TestNamespace
  private let others: [TestNamespace]
  private let wires: [FrameSocket]
  private let entries: [FrameSocket]
  private let raw: (ipv4: Int32, ipv6: Int32)
  /// The table that holds rules, by family.
  private var used: [Family: TableName] = [:]

  /// Hosts of each side that the router has neighbours for.
  static let hosts = 5
  /// The host that connection tracking leaves alone.
  static let untrackedHost = 4

  /// - Parameter isTracked: connection tracking is at work all the time; it puts fragments together.
  init(isTracked: Bool) throws {
    let router = try TestNamespace()
    let others = [try TestNamespace(), try TestNamespace()]
    self.router = router
    self.others = others
    var script = """
      set -e
      sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0 \
        net.ipv4.conf.all.send_redirects=0 net.ipv4.conf.default.send_redirects=0 net.ipv4.icmp_ratelimit=0 \
        net.ipv4.icmp_ratemask=0 net.ipv6.icmp.ratelimit=0 net.ipv6.conf.all.forwarding=1 \
        net.ipv6.conf.default.accept_dad=0 net.ipv6.conf.default.addr_gen_mode=1

      """
    for (side, other) in zip([Side.left, .right], others) {
      let device = "eth\(side.rawValue - 1)"
      let text = { (mac: [UInt8]) in mac.map { String($0, radix: 16) }.joined(separator: ":") }
      script += """
        ip netns exec \(other.name) sysctl -qw net.ipv6.conf.default.disable_ipv6=1 net.ipv6.conf.all.disable_ipv6=1
        ip link add \(device) address \(text(side.routerMAC)) type veth \
          peer name wire address \(text(side.mac)) netns \(other.name)
        ip -n \(other.name) link set wire up
        ip link set \(device) up
        ip address add 10.\(side.rawValue).0.1/24 dev \(device)
        ip address add 2001:db8:\(side.rawValue)::1/64 dev \(device) nodad

        """
      for host in 0..<Self.hosts {
        for address in Self.addresses(side, host) {
          script += "ip neighbour add \(address) lladdr \(text(side.mac)) dev \(device) nud permanent\n"
        }
      }
    }
    script += "ip6tables-legacy -t raw -A OUTPUT \(Self.quiet)\n"
    if isTracked {
      for (tool, address) in zip(["iptables", "ip6tables"], Self.addresses(.left, Self.untrackedHost)) {
        for option in ["-s", "-d"] {
          script += "\(tool)-legacy -t raw -A PREROUTING \(option) \(address) -j CT --notrack\n"
        }
      }
    }
    try router.require(["sh"], input: script)
    wires = try others.map { try FrameSocket(namespace: $0.name, device: "wire") }
    entries = try ["eth0", "eth1"].map { try FrameSocket(namespace: router.name, device: $0) }
    raw = try inNamespace(router.name) {
      let type = Int32(SOCK_RAW.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
      var yes: Int32 = 1
      let raw = (socket(AF_INET, type, 255), socket(AF_INET6, type, 255))
      setsockopt(raw.1, 41, 36, &yes, 4)  // IPV6_HDRINCL; IPv4 needs none for IPPROTO_RAW
      return raw
    }
  }

  deinit {
    close(raw.ipv4)
    close(raw.ipv6)
  }

  /// The router's own reports on multicast groups, which it sends when it likes, are no packets of a test.
  private static let quiet = "-p ipv6-icmp -m icmp6 --icmpv6-type 143 -j DROP"

  static func addresses(_ side: Side, _ host: Int) -> [String] {
    ["10.\(side.rawValue).0.\(host + 2)", "2001:db8:\(side.rawValue)::0:\(String(host + 2, radix: 16))"]
  }

  // MARK: Rules

  /// Runs `body` where the router is.
  func inside<R>(_ body: () throws -> R) throws -> R { try router.enter(body) }

  /// ip_tables of the router.
  var legacyBackend: XTablesBackend { XTablesBackend(lockPath: router.lockPath) }

  /// What nf_tables holds there.
  func listing() throws -> String { try router.require(["nft", "list", "ruleset"]).stdout }

  /// Puts a table in and empties the one that was in before.
  func load(_ text: String, _ table: TableName, _ family: Family) throws {
    var whole = ""
    if let before = used[family], before != table {
      let policies = before.hooks.hooks.map { ":\($0.chainName) ACCEPT [0:0]\n" }.joined()
      whole = "*\(before)\n\(policies)COMMIT\n"
    }
    whole += text
    if family == .ipv6 {
      whole = whole.replacing("*raw\n", with: "*raw\n:OUTPUT ACCEPT [0:0]\n")
      whole = whole.split(separator: "COMMIT\n").map { part in
        String(part) + (part.contains("*raw\n") ? "-A OUTPUT \(Self.quiet)\n" : "") + "COMMIT\n"
      }.joined()
    }
    try router.require(["\(family.toolName)-legacy-restore"], input: whole)
    used[family] = table
  }

  /// How many packets rules and policies have seen.
  struct Counts: Equatable {
    var rules: [String: [Int]] = [:]
    var policies: [String: Int] = [:]
  }

  func counts(_ table: TableName, _ family: Family) throws -> Counts {
    let saved = try router.enter {
      try runProcess(["\(family.toolName)-legacy-save", "-c", "-t", table.rawValue])
    }
    var counts = Counts()
    for line in saved.stdout.split(separator: "\n") {
      let words = line.split(separator: " ")
      func packets(_ word: Substring) -> Int { Int(word.dropFirst().prefix { $0 != ":" }) ?? -1 }
      if line.hasPrefix(":"), words[1] != "-" {
        counts.policies[String(words[0].dropFirst())] = packets(words[2])
      } else if line.hasPrefix("[") {
        counts.rules[String(words[2]), default: []].append(packets(words[0]))
      }
    }
    return counts
  }

  // MARK: Packets

  /// Sends a packet to the router and returns when the router has looked at it.
  func send(_ packet: CraftedPacket, from side: Side) throws {
    let type: [UInt8] = packet.packet.family == .ipv4 ? [0x08, 0x00] : [0x86, 0xdd]
    try wires[side.rawValue - 1].send(side.routerMAC + side.mac + type + packet.bytes)
    // The router's own socket sees a frame just before the first rule does, in the same run of the kernel.
    guard entries[side.rawValue - 1].receives(endingWith: packet.ending, within: 2000) else {
      throw ProcessFailure("a packet did not reach the router")
    }
  }

  /// Sends a packet out of the router itself.
  func sendFromRouter(_ packet: CraftedPacket) throws {
    var address = [UInt8](repeating: 0, count: packet.packet.family == .ipv4 ? 16 : 28)
    let place = packet.packet.family == .ipv4 ? 16..<20 : 24..<40
    address[0] = UInt8(packet.packet.family == .ipv4 ? AF_INET : AF_INET6)
    address.replaceSubrange(
      (packet.packet.family == .ipv4 ? 4 : 8)..<(packet.packet.family == .ipv4 ? 8 : 24), with: packet.bytes[place])
    let socket = packet.packet.family == .ipv4 ? raw.ipv4 : raw.ipv6
    let count = address.withUnsafeBytes {
      sendto(
        socket, packet.bytes, packet.bytes.count, 0, $0.baseAddress!.assumingMemoryBound(to: sockaddr.self),
        socklen_t($0.count))
    }
    // EPERM is what a rule that drops it says.
    guard count == packet.bytes.count || errno == EPERM else {
      throw ProcessFailure("sending from the router: \(errno)")
    }
  }

  /// Whether a packet that has been looked at has come out on a side.
  func arrives(_ packet: CraftedPacket, at side: Side) -> Bool {
    wires[side.rawValue - 1].receives(endingWith: packet.ending, within: 0)
  }
}
