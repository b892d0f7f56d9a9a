internal import CLinux
internal import Glibc
internal import Netfilter

/// A netlink socket to the kernel's sets (linux/netfilter/ipset/ip_set.h), in the network namespace of the calling thread.
struct SetSocket: ~Copyable {
  /// `enum ipset_cmd`
  enum Command: UInt8 {
    case create = 2
    case destroy = 3
    case swap = 6
    case list = 7
    case add = 9
    case delete = 10
  }

  /// Attributes of messages.
  enum Attribute {
    static let name: UInt16 = 2  // IPSET_ATTR_SETNAME
    static let type: UInt16 = 3  // IPSET_ATTR_TYPENAME
    static let otherName: UInt16 = 3  // IPSET_ATTR_SETNAME2
    static let revision: UInt16 = 4  // IPSET_ATTR_REVISION
    static let family: UInt16 = 5  // IPSET_ATTR_FAMILY
    static let data: UInt16 = 7  // IPSET_ATTR_DATA
    static let entries: UInt16 = 8  // IPSET_ATTR_ADT
    static let line: UInt16 = 9  // IPSET_ATTR_LINENO
    static let nested: UInt16 = 0x8000  // NLA_F_NESTED
    static let networkOrder: UInt16 = 0x4000  // NLA_F_NET_BYTEORDER
    static let kindMask: UInt16 = 0x3fff  // NLA_TYPE_MASK
  }

  private static let answers: UInt16 = 0x5  // NLM_F_REQUEST | NLM_F_ACK
  private static let makes: UInt16 = 0x600  // NLM_F_CREATE | NLM_F_EXCL
  private static let dumps: UInt16 = 0x301  // NLM_F_REQUEST | NLM_F_DUMP
  private static let head = 20  // struct nlmsghdr and struct nfgenmsg
  private static let subsystem: UInt16 = 6 << 8  // NFNL_SUBSYS_IPSET
  private static let patience = timeval(tv_sec: 10, tv_usec: 0)

  private let descriptor: Int32

  init() throws(KernelSets.Refusal) {
    descriptor = socket(AF_NETLINK, Int32(SOCK_RAW.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 12)  // NETLINK_NETFILTER
    guard descriptor >= 0 else { throw KernelSets.Refusal(code: errno) }
    var limit = Self.patience
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
  }

  deinit { close(descriptor) }

  // MARK: Messages

  private static func message(_ command: Command, flags: UInt16, _ attributes: [UInt8]) -> [UInt8] {
    var out = ByteWriter(capacity: head + attributes.count + 16)
    out.write(UInt32(head + 8 + attributes.count))
    out.write(subsystem | UInt16(command.rawValue))
    out.write(flags)
    out.zeros(8)
    out.write([UInt8(AF_INET), 0, 0, 0])
    out.write(attribute([6], 1))  // IPSET_ATTR_PROTOCOL: IPSET_PROTOCOL_MIN
    out.write(attributes)
    return out.bytes
  }

  /// An attribute with its head, filled up to a multiple of four.
  static func attribute(_ payload: [UInt8], _ type: UInt16) -> [UInt8] {
    let length = UInt16(4 + payload.count)
    let padding = [UInt8](repeating: 0, count: (4 - payload.count % 4) % 4)
    return [UInt8(truncatingIfNeeded: length), UInt8(length >> 8), UInt8(truncatingIfNeeded: type), UInt8(type >> 8)]
      + payload + padding
  }

  /// An attribute as it was read, in the form in which the kernel takes it: addresses, which stand in an attribute of their own,
  /// have to say that they are in network order.
  static func attribute(_ bytes: [UInt8], _ read: (type: UInt16, payload: Range<Int>)) -> [UInt8] {
    guard read.type & Attribute.nested != 0 else { return attribute(Array(bytes[read.payload]), read.type) }
    let inner = attributes(bytes, read.payload).flatMap {
      attribute(Array(bytes[$0.payload]), $0.type | Attribute.networkOrder)
    }
    return attribute(inner, read.type)
  }

  static func text(_ text: String, _ type: UInt16) -> [UInt8] { attribute(Array(text.utf8) + [0], type) }

  /// The attributes in a range of bytes, each with its type and the range of its payload.
  static func attributes(_ bytes: [UInt8], _ range: Range<Int>) -> [(type: UInt16, payload: Range<Int>)] {
    var found: [(type: UInt16, payload: Range<Int>)] = []
    var place = range.lowerBound
    while place + 4 <= range.upperBound {
      let length = Int(bytes[place]) | Int(bytes[place + 1]) << 8
      guard length >= 4, place + length <= range.upperBound else { break }
      found.append((UInt16(bytes[place + 2]) | UInt16(bytes[place + 3]) << 8, place + 4..<place + length))
      place += (length + 3) & ~3
    }
    return found
  }

  // MARK: Asking

  /// Sends a command and waits for the kernel's answer.
  func perform(_ command: Command, _ attributes: [UInt8]) throws(KernelSets.Refusal) {
    let flags = command == .create ? Self.answers | Self.makes : Self.answers
    try send(Self.message(command, flags: flags, attributes))
    var answer = [UInt8](repeating: 0, count: 64 << 10)
    let count = try receive(&answer)
    guard count >= Self.head else { throw KernelSets.Refusal(code: EPROTO) }
    let code = -Self.number(answer, 16)
    if code != 0 { throw KernelSets.Refusal(code: code) }
  }

  /// One set, or all: calls `body` with the bytes of each message and the range of its attributes.
  func list(_ name: String?, _ body: ([UInt8], Range<Int>) -> Void) throws(KernelSets.Refusal) {
    try send(Self.message(.list, flags: Self.dumps, name.map { Self.text($0, Attribute.name) } ?? []))
    var buffer = [UInt8](repeating: 0, count: 256 << 10)
    while true {
      let count = try receive(&buffer)
      var place = 0
      while place + 16 <= count {
        let length = Int(Self.number(buffer, place))
        guard length >= 16, place + length <= count else { throw KernelSets.Refusal(code: EPROTO) }
        let type = UInt16(buffer[place + 4]) | UInt16(buffer[place + 5]) << 8
        switch type {
        case 3:  // NLMSG_DONE
          let code = length >= 20 ? -Self.number(buffer, place + 16) : 0
          if code > 0 { throw KernelSets.Refusal(code: code) }
          return
        case 2:  // NLMSG_ERROR
          let code = -Self.number(buffer, place + 16)
          if code != 0 { throw KernelSets.Refusal(code: code) }
          return
        default: body(buffer, place + Self.head..<place + length)
        }
        place += (length + 3) & ~3
      }
    }
  }

  private static func number(_ bytes: [UInt8], _ place: Int) -> Int32 {
    bytes.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: place, as: Int32.self) }
  }

  private func send(_ message: [UInt8]) throws(KernelSets.Refusal) {
    guard Glibc.send(descriptor, message, message.count, 0) == message.count else {
      throw KernelSets.Refusal(code: errno)
    }
  }

  private func receive(_ buffer: inout [UInt8]) throws(KernelSets.Refusal) -> Int {
    while true {
      let count = recv(descriptor, &buffer, buffer.count, 0)
      if count >= 0 { return count }
      let code = errno
      if code != EINTR { throw KernelSets.Refusal(code: code) }
    }
  }
}
