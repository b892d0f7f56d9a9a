/// Where the names in rules come from: services, protocols, hosts, users and groups.
///
/// The library itself knows only the common names. A program that runs on a machine gives it that machine's
/// /etc/services, /etc/protocols and resolver; each is asked only when a name is seen.
public struct Names: Sendable {
  /// The port of a service, for a protocol or for whichever has it.
  public var service: @Sendable (_ name: String, _ proto: IPProtocol?) -> UInt16?
  public var protocolNumber: @Sendable (_ name: String) -> UInt8?
  public var protocolName: @Sendable (_ number: UInt8) -> String?
  /// The addresses of a host in one family; empty when it does not resolve.
  public var host: @Sendable (_ name: String, _ family: Family) -> [IPAddress]
  /// The numbers of users and groups; nil when there is none of that name.
  public var user: @Sendable (_ name: String) -> UInt32?
  public var group: @Sendable (_ name: String) -> UInt32?
  /// The number that a file gives to a name.
  public var number: @Sendable (_ name: String, _ file: NumberFile) -> UInt32?
  /// The name that a file gives to a number, which iptables-save prints instead of it.
  public var numberName: @Sendable (_ number: UInt32, _ file: NumberFile) -> String?
  /// The numbers of sets, by which the kernel's rules name them.
  public var sets: IPSetDirectory
  /// The names that a listing shows in place of numbers, where it is not numeric.
  public var reverse: ReverseNames
  /// Told of each host name that was resolved, with what it stood for.
  package var resolved: (@Sendable (_ column: Int, _ name: String, _ addresses: [IPAddress]) -> Void)?
  /// Told of what is accepted but hardly meant.
  package var warned: (@Sendable (SyntaxError) -> Void)?

  public init(
    service: @escaping @Sendable (String, IPProtocol?) -> UInt16?,
    protocolNumber: @escaping @Sendable (String) -> UInt8?,
    protocolName: @escaping @Sendable (UInt8) -> String?,
    host: @escaping @Sendable (String, Family) -> [IPAddress],
    user: @escaping @Sendable (String) -> UInt32? = { $0 == "root" ? 0 : nil },
    group: @escaping @Sendable (String) -> UInt32? = { $0 == "root" ? 0 : nil },
    number: @escaping @Sendable (String, NumberFile) -> UInt32? = { _, _ in nil },
    numberName: @escaping @Sendable (UInt32, NumberFile) -> String? = { _, _ in nil },
    sets: IPSetDirectory = .imagined, reverse: ReverseNames = ReverseNames()
  ) {
    self.service = service
    self.protocolNumber = protocolNumber
    self.protocolName = protocolName
    self.host = host
    self.user = user
    self.group = group
    self.number = number
    self.numberName = numberName
    self.sets = sets
    self.reverse = reverse
  }

  /// The same names, where `body` is told each time before one is asked for that text may hold.
  package func telling(_ body: @escaping @Sendable () -> Void) -> Names {
    func told<each Question, Answer>(
      _ ask: @escaping @Sendable (repeat each Question) -> Answer
    ) -> @Sendable (repeat each Question) -> Answer {
      { (question: repeat each Question) in
        body()
        return ask(repeat each question)
      }
    }
    var result = self
    result.service = told(service)
    result.protocolNumber = told(protocolNumber)
    result.host = told(host)
    result.user = told(user)
    result.group = told(group)
    result.number = told(number)
    result.sets.find = told(sets.find)
    return result
  }

  /// The names that are the same everywhere; no host resolves, and rules that name sets can only be read.
  public static let wellKnown = Names(
    service: { name, _ in WellKnownNames.port(of: name) },
    protocolNumber: { name in WellKnownNames.protocolNumber(of: name) },
    protocolName: { number in WellKnownNames.protocolName(of: number) },
    host: { _, _ in [] })
}

/// From numbers to names, for listings. Each answers nil where there is no name, and the number is shown.
public struct ReverseNames: Sendable {
  /// The service at a port, for a protocol or for whichever has it.
  public var service: @Sendable (_ port: UInt16, _ proto: IPProtocol?) -> String?
  /// The host of an address, or the network (networks(5)) where its host bits are zero.
  public var host: @Sendable (_ address: IPAddress) -> String?
  public var user: @Sendable (_ number: UInt32) -> String?
  public var group: @Sendable (_ number: UInt32) -> String?

  public init(
    service: @escaping @Sendable (UInt16, IPProtocol?) -> String? = { _, _ in nil },
    host: @escaping @Sendable (IPAddress) -> String? = { _ in nil },
    user: @escaping @Sendable (UInt32) -> String? = { _ in nil },
    group: @escaping @Sendable (UInt32) -> String? = { _ in nil }
  ) {
    self.service = service
    self.host = host
    self.user = user
    self.group = group
  }
}

/// A file in which an administrator gives names to numbers that rules use.
public enum NumberFile: Hashable, Sendable, CaseIterable {
  /// Groups of interfaces, /etc/iproute2/group.
  case deviceGroups
  /// Realms of routes, /etc/iproute2/rt_realms.
  case realms
  /// Labels of connections, /etc/xtables/connlabel.conf.
  case connectionLabels
}

// MARK: Reading tokens with names

extension Names {
  /// A port by number or service name.
  ///
  /// - Parameters:
  ///   - proto: the protocol whose service it has to be; nil for any.
  ///   - decimal: read the number as getaddrinfo(3) does, which iptables asks in some places: decimal digits, of whose
  ///     value 16 bits are kept. Elsewhere `0x16` is a number too.
  package func port(_ token: Token, _ proto: IPProtocol?, option: StaticString, decimal: Bool = false)
    throws(SyntaxError) -> UInt16
  {
    if let number = decimal ? token.decimal : token.number {
      guard number <= 65535 else {
        if decimal, number <= UInt64(Int32.max) {  // getaddrinfo takes no more
          let port = UInt16(truncatingIfNeeded: number)
          warned?(
            SyntaxError(at: token, "\(option): \(number) is not a port; it is taken for \(port), as iptables does"))
          return port
        }
        throw SyntaxError(at: token, "\(option): \(number) is not a port", hint: "ports go from 0 to 65535")
      }
      return UInt16(number)
    }
    if let port = service(token.string, proto) { return port }
    throw SyntaxError(
      at: token, "\(option): '\(token.string)' is neither a port number nor a known service",
      hint: WellKnownNames.serviceNames.contains(token.string)
        ? "\(token.string) is a service of another protocol; write its number"
        : suggestion(for: token.string, among: WellKnownNames.serviceNames))
  }

  /// `22`, `22:25`, `:25` or `22:`.
  package func portRange(_ token: Token, _ proto: IPProtocol?, option: StaticString)
    throws(SyntaxError) -> PortRange
  {
    let bounds = try portBounds(token, proto, option: option)
    guard let range = PortRange(bounds.first, through: bounds.last) else {
      throw SyntaxError(
        at: token, "\(option): the range '\(token.string)' runs backwards",
        hint: "write \(option) \(bounds.last):\(bounds.first)")
    }
    return range
  }

  /// The same, for options that take a range which runs backwards.
  package func portBounds(_ token: Token, _ proto: IPProtocol?, option: StaticString, decimal: Bool = false)
    throws(SyntaxError) -> Bounds<UInt16>
  {
    let parts = token.split(at: UInt8(ascii: ":"))
    guard let after = parts.after else { return Bounds(try port(token, proto, option: option, decimal: decimal)) }
    let first = parts.before.count == 0 ? 0 : try port(parts.before, proto, option: option, decimal: decimal)
    let last = after.count == 0 ? 65535 : try port(after, proto, option: option, decimal: decimal)
    return Bounds(first, last)
  }

  /// A protocol by number or name, in any case.
  package func proto(_ token: Token) throws(SyntaxError) -> IPProtocol {
    if let number = token.number {
      guard number <= 255 else {
        throw SyntaxError(at: token, "\(number) is not an IP protocol", hint: "protocols go from 0 to 255")
      }
      return IPProtocol(rawValue: UInt8(number))
    }
    for known in IPProtocol.wellKnown where token.equalsIgnoringCase(known.name) {
      return IPProtocol(rawValue: known.number)
    }
    let name = token.string.lowercased()
    if let number = protocolNumber(name) { return IPProtocol(rawValue: number) }
    throw SyntaxError(
      at: token, "unknown protocol '\(token.string)'",
      hint: suggestion(
        for: name, among: IPProtocol.wellKnown.map { "\($0.name)" } + WellKnownNames.protocolNames))
  }

  /// The name iptables-save prints for a protocol, nil where it prints the number.
  package func name(of proto: IPProtocol) -> String? {
    if let known = IPProtocol.wellKnown.first(where: { $0.number == proto.rawValue }) { return "\(known.name)" }
    return protocolName(proto.rawValue)
  }

  /// The protocol's name, or its number where it has none.
  public func displayName(of proto: IPProtocol) -> String { name(of: proto) ?? "\(proto.rawValue)" }

  /// Every address that a `-s` or `-d` word stands for: addresses, networks and host names between commas.
  package func addresses(_ token: Token, _ family: Family) throws(SyntaxError) -> [AddressMask] {
    var found: [AddressMask] = []
    try token.forEachPart(separatedBy: UInt8(ascii: ",")) { part throws(SyntaxError) in
      var start = 0
      while start < part.count, part.bytes[start] == UInt8(ascii: " ") { start += 1 }
      try appendAddresses(part.part(start..<part.count), family, to: &found)
    }
    return found
  }

  private func appendAddresses(_ token: Token, _ family: Family, to found: inout [AddressMask])
    throws(SyntaxError)
  {
    let slash = token.bytes.lastIndex(of: UInt8(ascii: "/"))
    let host = token.part(0..<(slash ?? token.count))
    let all = AddressMask.prefixMask(family.addressBits, family)
    let mask = try slash.map { index throws(SyntaxError) in
      do throws(SyntaxError) {
        return try addressMask(token.part(index + 1..<token.count), family)
      } catch {
        throw otherFamily(host, family) ?? error
      }
    }
    if mask == 0 {  // "any/0": iptables ignores the name
      found.append(.any(family))
    } else if let address = numericAddress(host, family) {
      found.append(AddressMask(address: address, mask: mask ?? all))
    } else {
      for address in try resolve(host, family) {
        found.append(AddressMask(address: address, mask: mask ?? all))
      }
    }
  }

  /// A prefix length or a dotted mask.
  package func addressMask(_ token: Token, _ family: Family) throws(SyntaxError) -> UInt128 {
    if let dotted = IPAddress(family: family, token: token) { return dotted.bits }
    if let length = token.number(in: 0...UInt8(family.addressBits)) {
      return AddressMask.prefixMask(Int(length), family)
    }
    throw SyntaxError(
      at: token, "invalid mask '\(token.string)'",
      hint: family == .ipv4
        ? "a mask is a number from 0 to 32 or four numbers such as 255.255.255.0"
        : "a mask is a number from 0 to 128 or an IPv6 address")
  }

  /// An address, or the shortened IPv4 forms that iptables takes (`10`, `192.168`), whose missing numbers are zero.
  package func numericAddress(_ token: Token, _ family: Family) -> IPAddress? {
    if let address = IPAddress(family: family, token: token) { return address }
    guard family == .ipv4, token.count > 0 else { return nil }
    var bits: UInt32 = 0
    var octets = 0
    var fits = true
    token.forEachPart(separatedBy: UInt8(ascii: ".")) { part in
      guard let octet: UInt32 = part.number(in: 0...255), octets < 4 else {
        fits = false
        return
      }
      bits = bits << 8 | octet
      octets += 1
    }
    return fits ? IPAddress(ipv4: bits << UInt32(8 * (4 - octets))) : nil
  }

  /// The addresses of a host name.
  package func resolve(_ token: Token, _ family: Family) throws(SyntaxError) -> [IPAddress] {
    let name = token.string
    if let error = otherFamily(token, family) { throw error }
    guard Self.canBeHostName(token) else {
      throw SyntaxError(
        at: token, "'\(name)' is not an \(family) address, a network or a host name",
        hint: name == "!" ? "write '!' before the option: ! -s ADDRESS" : nil)
    }
    let addresses = host(name, family)
    guard !addresses.isEmpty else {
      throw SyntaxError(
        at: token, "host '\(name)' does not resolve to an \(family) address",
        hint: "write the address, or add the name to /etc/hosts")
    }
    resolved?(token.column, name, addresses)
    return addresses
  }

  /// The error for an address of the family that is not meant.
  private func otherFamily(_ token: Token, _ family: Family) -> SyntaxError? {
    let other: Family = family == .ipv4 ? .ipv6 : .ipv4
    guard IPAddress(family: other, token: token) != nil else { return nil }
    return SyntaxError(
      at: token, "'\(token.string)' is an \(other) address in \(family) rules",
      hint: "put it into the \(other.toolName) rules")
  }

  /// Letters, digits, `-`, `.` and `_`, with a letter or digit first (RFC 1123 section 2.1).
  private static func canBeHostName(_ token: Token) -> Bool {
    guard let first = token.bytes.first, first != UInt8(ascii: "-"), first != UInt8(ascii: ".") else { return false }
    return token.count <= 253
      && token.bytes.allSatisfy { byte in
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
          UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"):
          true
        default: false
        }
      }
  }
}
