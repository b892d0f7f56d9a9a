internal import Glibc
internal import Netfilter
internal import Synchronization

extension Names {
  /// The names of this machine: /etc/services, /etc/protocols, the resolver, users and groups, each asked at most once and
  /// only when a name is seen; the well-known names stand in for what the files do not have. The kernel is asked for
  /// its sets each time one is seen.
  public static let system = Names(
    service: { name, proto in
      let file = ServiceFile.shared
      return file.isEmpty ? Names.wellKnown.service(name, proto) : file.port(of: name, proto)
    },
    protocolNumber: { name in ProtocolFile.shared.number(of: name) ?? Names.wellKnown.protocolNumber(name) },
    protocolName: { number in ProtocolFile.shared.name(of: number) ?? Names.wellKnown.protocolName(number) },
    host: resolveHost, user: userNumber, group: groupNumber,
    number: { name, file in NumberNames.of(file).number(of: name) },
    numberName: { number, file in NumberNames.of(file).name(of: number) },
    sets: .system, reverse: ReverseNames(service: serviceName, host: hostName, user: userName, group: groupName))
}

/// A file of names and numbers: `name value[/protocol] alias…  # comment`.
private func forEachLine(of path: String, _ body: ([Substring]) -> Void) {
  guard let file = try? InputFile(path: path) else { return }
  file.withBytes { bytes in
    for line in bytes.split(separator: UInt8(ascii: "\n")) {
      let text = String(decoding: line.prefix { $0 != UInt8(ascii: "#") }, as: UTF8.self)
      let words = text.split { $0 == " " || $0 == "\t" }
      if words.count >= 2 { body(words) }
    }
  }
}

/// /etc/services (services(5)).
private final class ServiceFile: Sendable {
  static let shared = ServiceFile()
  private let ports: [String: [(proto: Substring, port: UInt16)]]

  private init() {
    var ports: [String: [(proto: Substring, port: UInt16)]] = [:]
    forEachLine(of: "/etc/services") { words in
      let value = words[1].split(separator: "/", maxSplits: 1)
      guard value.count == 2, let port = UInt16(value[0]) else { return }
      for name in [words[0]] + words.dropFirst(2) { ports[String(name), default: []].append((value[1], port)) }
    }
    self.ports = ports
  }

  /// Not there, or without a line that names a service.
  var isEmpty: Bool { ports.isEmpty }

  func port(of name: String, _ proto: IPProtocol?) -> UInt16? {
    guard let found = ports[name] else { return nil }
    guard let proto, let wanted = Names.wellKnown.name(of: proto) else { return found.first?.port }
    return found.first { $0.proto == wanted }?.port
  }
}

/// /etc/protocols (protocols(5)).
private final class ProtocolFile: Sendable {
  static let shared = ProtocolFile()
  private let numbers: [String: UInt8]
  private let names: [UInt8: String]

  private init() {
    var numbers: [String: UInt8] = [:]
    var names: [UInt8: String] = [:]
    forEachLine(of: "/etc/protocols") { words in
      guard let number = UInt8(words[1]) else { return }
      for name in [words[0]] + words.dropFirst(2) where numbers[String(name)] == nil { numbers[String(name)] = number }
      if names[number] == nil { names[number] = String(words[0]) }
    }
    self.numbers = numbers
    self.names = names
  }

  func number(of name: String) -> UInt8? { numbers[name] ?? numbers[name.uppercased()] }
  func name(of number: UInt8) -> String? { names[number] }
}

/// A file that gives names to numbers; where one stands twice, the first line counts.
private final class NumberNames: Sendable {
  private static let deviceGroups = NumberNames(routing: "/etc/iproute2/group")
  private static let realms = NumberNames(routing: "/etc/iproute2/rt_realms")
  private static let connectionLabels = NumberNames(labels: "/etc/xtables/connlabel.conf")

  static func of(_ file: NumberFile) -> NumberNames {
    switch file {
    case .deviceGroups: deviceGroups
    case .realms: realms
    case .connectionLabels: connectionLabels
    }
  }

  private let lines: [(number: UInt32, name: String)]

  /// The files of iproute2: a number up to 255, decimal or after `0x`, and a word.
  private init(routing path: String) {
    lines = Self.lines(of: path).compactMap { line in
      let words = line.split { $0 == " " || $0 == "\t" }
      guard words.count >= 2, words[0].first != "#", words[1].first != "#" else { return nil }
      let isHex = words[0].hasPrefix("0x")
      return UInt8(isHex ? words[0].dropFirst(2) : words[0], radix: isHex ? 16 : 10).map {
        (UInt32($0), String(words[1]))
      }
    }
  }

  /// A number as C writes it, and as its name the rest of the line; a number has one name.
  private init(labels path: String) {
    var lines: [(number: UInt32, name: String)] = []
    for line in Self.lines(of: path) where line.first != "#" {
      let words = line.split { $0 == " " || $0 == "\t" }
      guard words.count >= 2, let first = words.first, let last = words.last, let number = Self.number(first),
        !lines.contains(where: { $0.number == number })
      else { continue }
      lines.append((number, String(line[words[1].startIndex..<last.endIndex])))
    }
    self.lines = lines
  }

  private static func lines(of path: String) -> [String] {
    guard let file = try? InputFile(path: path) else { return [] }
    return file.withBytes { bytes in
      bytes.split(separator: UInt8(ascii: "\n")).map { String(decoding: $0, as: UTF8.self) }
    }
  }

  private static func number(_ word: Substring) -> UInt32? {
    if word.hasPrefix("0x") { return UInt32(word.dropFirst(2), radix: 16) }
    return word.hasPrefix("0") ? UInt32(word, radix: 8) : UInt32(word)
  }

  func number(of name: String) -> UInt32? { lines.first { $0.name == name }?.number }
  func name(of number: UInt32) -> String? { lines.first { $0.number == number }?.name }
}

/// Every address of a host in one family, in the resolver's order (getaddrinfo(3)).
@Sendable private func resolveHost(_ name: String, _ family: Family) -> [IPAddress] {
  var hints = addrinfo()
  hints.ai_family = family == .ipv4 ? AF_INET : AF_INET6
  hints.ai_socktype = Int32(SOCK_RAW.rawValue)
  var list: UnsafeMutablePointer<addrinfo>?
  guard getaddrinfo(name, nil, &hints, &list) == 0 else { return [] }
  defer { freeaddrinfo(list) }
  var found: [IPAddress] = []
  var next = list
  while let info = next {
    if let address = info.pointee.ai_addr.flatMap({ IPAddress($0, family) }), !found.contains(address) {
      found.append(address)
    }
    next = info.pointee.ai_next
  }
  return found
}

/// The number of a user (getpwnam_r(3)).
@Sendable private func userNumber(_ name: String) -> UInt32? {
  var entry = passwd()
  return lookUp { buffer, size in
    var found: UnsafeMutablePointer<passwd>?
    let code = getpwnam_r(name, &entry, buffer, size, &found)
    return (code, found?.pointee.pw_uid)
  }
}

/// The number of a group (getgrnam_r(3)).
@Sendable private func groupNumber(_ name: String) -> UInt32? {
  var entry = group()
  return lookUp { buffer, size in
    var found: UnsafeMutablePointer<group>?
    let code = getgrnam_r(name, &entry, buffer, size, &found)
    return (code, found?.pointee.gr_gid)
  }
}

/// Calls `body` with a buffer that grows while it says that it is too small.
func lookUp<R>(_ body: (UnsafeMutablePointer<CChar>, Int) -> (code: Int32, found: R?)) -> R? {
  var size = 1 << 12
  while size <= 1 << 20 {
    let result = withUnsafeTemporaryAllocation(of: CChar.self, capacity: size) { body($0.baseAddress!, size) }
    guard result.code == ERANGE else { return result.found }
    size *= 4
  }
  return nil
}

extension IPAddress {
  fileprivate init?(_ socketAddress: UnsafePointer<sockaddr>, _ family: Family) {
    switch family {
    case .ipv4:
      let bits = socketAddress.withMemoryRebound(to: sockaddr_in.self, capacity: 1) { $0.pointee.sin_addr.s_addr }
      self.init(ipv4: UInt32(bigEndian: bits))
    case .ipv6:
      let bytes = socketAddress.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) { address in
        withUnsafeBytes(of: address.pointee.sin6_addr) { $0.loadUnaligned(as: UInt128.self) }
      }
      self.init(ipv6: UInt128(bigEndian: bytes))
    }
  }
}
