internal import Glibc
internal import Netfilter

/// Interfaces of the copy's network namespace that stand for the machine's own. Rules of nft(8) may hold their numbers
/// (`iif`), and its hooks of devices want them there; iptables knows them by name alone and asks for none.
struct StagedInterfaces {
  /// Names by numbers.
  private let names: [UInt32: String]

  /// Those of the calling thread's network namespace.
  init() {
    var names: [UInt32: String] = [:]
    if let list = if_nameindex() {
      var next = list
      while next.pointee.if_index != 0 {
        names[next.pointee.if_index] = String(cString: next.pointee.if_name)
        next += 1
      }
      if_freenameindex(list)
    }
    self.names = names
  }

  /// Makes those that the calling thread's network namespace lacks, under the same numbers. They are down and do nothing.
  /// Where the kernel makes none, a rule that asks for one fails as it would without the interface.
  func stand() {
    let present = StagedInterfaces().names
    let missing = names.filter { present[$0.key] == nil }
    guard !missing.isEmpty else { return }
    let socket = Glibc.socket(AF_NETLINK, Int32(SOCK_RAW.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)  // NETLINK_ROUTE
    guard socket >= 0 else { return }
    defer { close(socket) }
    var kinds = Self.kinds[...]
    for (number, name) in missing.sorted(by: { $0.key < $1.key }) {
      while let kind = kinds.first {
        let code = Self.ask(socket, Self.request(number, name, kind: kind))
        guard code == EOPNOTSUPP else { break }
        kinds = kinds.dropFirst()
      }
    }
  }

  /// Kinds of interfaces that need nothing else, the simplest first; a kernel may lack any of them.
  private static let kinds = ["dummy", "ifb", "bridge"]

  /// `RTM_NEWLINK` (rtnetlink(7)): struct nlmsghdr, struct ifinfomsg, the name, and the kind in a nest.
  private static func request(_ number: UInt32, _ name: String, kind: String) -> [UInt8] {
    let kind = attribute(1, Array(kind.utf8))  // IFLA_INFO_KIND
    let attributes = attribute(3, Array(name.utf8) + [0]) + attribute(18, kind)  // IFLA_IFNAME, IFLA_LINKINFO
    var out = ByteWriter()
    out.write(UInt32(32 + attributes.count))
    out.write(UInt16(16))  // RTM_NEWLINK
    out.write(UInt16(0x605))  // NLM_F_REQUEST | NLM_F_ACK | NLM_F_EXCL | NLM_F_CREATE
    out.zeros(8 + 4)
    out.write(number)
    out.zeros(8)
    out.write(attributes)
    return out.bytes
  }

  private static func attribute(_ type: UInt16, _ data: [UInt8]) -> [UInt8] {
    var out = ByteWriter()
    out.write(UInt16(truncatingIfNeeded: data.count + 4))
    out.write(type)
    out.write(data)
    out.align(4)
    return out.bytes
  }

  /// - Returns: the kernel's error number, 0 for none.
  private static func ask(_ socket: Int32, _ request: [UInt8]) -> Int32 {
    guard send(socket, request, request.count, 0) == request.count else { return errno }
    var answer = [UInt8](repeating: 0, count: 4096)
    let count = recv(socket, &answer, answer.count, 0)
    guard count >= 20 else { return EIO }
    return -answer.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: 16, as: Int32.self) }
  }
}
