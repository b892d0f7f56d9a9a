internal import CLinux
internal import Glibc
package import Netfilter

/// The kernel's sets (ipset(8)) in the network namespace of the calling thread
/// (linux/netfilter/ipset/ip_set.h). Nothing is kept: another thread may be in another namespace, where the same numbers
/// are other sets.
package enum KernelSets {
  /// Why nothing could be asked; the kernel's error number.
  package struct Refusal: Error, Hashable, Sendable {
    package let code: Int32
    /// Only root may ask.
    package var isNotPermitted: Bool { code == EPERM || code == EACCES }
  }

  /// The number of a set, and the family of the addresses in it; nil when there is none of that name.
  package static func find(_ name: String) throws(Refusal) -> (index: UInt16, family: Family?)? {
    guard name.utf8.count <= IPSetReference.maxNameBytes else { return nil }
    var request = Request(Request.Operation.indexAndFamily, size: 44)
    for (place, byte) in name.utf8.enumerated() { request.bytes[12 + place] = byte }
    try request.ask()
    let index = request.number(at: 12, as: UInt16.self)
    guard index != .max else { return nil }
    return (index, Family(rawValue: UInt8(truncatingIfNeeded: request.number(at: 8, as: UInt32.self))))
  }

  /// The name of a set; nil when no set has the number.
  package static func name(_ index: UInt16) throws(Refusal) -> String? {
    var request = Request(Request.Operation.name, size: 40)
    request.bytes[8] = UInt8(truncatingIfNeeded: index)
    request.bytes[9] = UInt8(index >> 8)
    try request.ask()
    let name = request.bytes[8...].prefix { $0 != 0 }
    return name.isEmpty ? nil : String(decoding: name, as: UTF8.self)
  }

  /// `struct ip_set_req_get_set` and `struct ip_set_req_get_set_family`
  private struct Request {
    enum Operation {
      static let name: UInt32 = 7  // IP_SET_OP_GET_BYINDEX
      static let indexAndFamily: UInt32 = 8  // IP_SET_OP_GET_FNAME
      static let version: UInt32 = 0x100  // IP_SET_OP_VERSION
    }

    private static let option: Int32 = 83  // SO_IP_SET
    var bytes: [UInt8]

    init(_ operation: UInt32, size: Int) {
      bytes = Array(repeating: 0, count: size)
      put(operation, at: 0)
    }

    private mutating func put(_ number: UInt32, at offset: Int) {
      bytes.withUnsafeMutableBytes { $0.storeBytes(of: number, toByteOffset: offset, as: UInt32.self) }
    }

    func number<T: FixedWidthInteger & BitwiseCopyable>(at offset: Int, as type: T.Type) -> T {
      bytes.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: offset, as: type) }
    }

    /// Asks the kernel in the version that it speaks; a missing module is loaded once.
    mutating func ask() throws(Refusal) {
      let descriptor = socket(
        AF_INET, Int32(SOCK_RAW.rawValue) | Int32(SOCK_CLOEXEC.rawValue), Int32(IPPROTO_RAW))
      guard descriptor >= 0 else { throw Refusal(code: errno) }
      defer { close(descriptor) }
      var version = Request(Operation.version, size: 8)
      var code = version.send(descriptor)
      if code == ENOPROTOOPT, fb_load_module("xt_set") == 0 { code = version.send(descriptor) }
      guard code == 0 else { throw Refusal(code: code) }
      put(version.number(at: 4, as: UInt32.self), at: 4)
      code = send(descriptor)
      guard code == 0 else { throw Refusal(code: code) }
    }

    private mutating func send(_ descriptor: Int32) -> Int32 {
      var length = socklen_t(bytes.count)
      return getsockopt(descriptor, Int32(IPPROTO_IP), Self.option, &bytes, &length) == 0 ? 0 : errno
    }
  }
}

// MARK: Placeholders

extension KernelSets {
  /// Makes empty sets until those with the numbers from 0 to `last` are there, for trying rules in an empty namespace.
  static func makePlaceholders(through last: UInt16) throws(Refusal) {
    let descriptor = socket(AF_NETLINK, Int32(SOCK_RAW.rawValue) | Int32(SOCK_CLOEXEC.rawValue), Netlink.netfilter)
    guard descriptor >= 0 else { throw Refusal(code: errno) }
    defer { close(descriptor) }
    for index in 0...last {
      let code = Netlink.exchange(Netlink.creation("placeholder-\(index)"), descriptor)
      guard code == 0 else { throw Refusal(code: code) }
    }
  }

  private enum Netlink {
    static let netfilter: Int32 = 12  // NETLINK_NETFILTER

    /// `IPSET_CMD_CREATE` of a set of the plainest type.
    static func creation(_ name: String) -> [UInt8] {
      var out = ByteWriter()
      out.write(UInt32(0))  // the length, set at the end
      out.write(UInt16(6 << 8 | 2))  // NFNL_SUBSYS_IPSET, IPSET_CMD_CREATE
      out.write(UInt16(0x605))  // NLM_F_REQUEST | NLM_F_ACK | NLM_F_EXCL | NLM_F_CREATE
      out.zeros(8)
      out.write([UInt8(AF_INET), 0, 0, 0])
      append([6], type: 1, to: &out)  // IPSET_ATTR_PROTOCOL: IPSET_PROTOCOL_MIN
      append(Array(name.utf8) + [0], type: 2, to: &out)  // IPSET_ATTR_SETNAME
      append(Array("hash:ip".utf8) + [0], type: 3, to: &out)  // IPSET_ATTR_TYPENAME
      append([0], type: 4, to: &out)  // IPSET_ATTR_REVISION
      append([UInt8(AF_INET)], type: 5, to: &out)  // IPSET_ATTR_FAMILY
      append([], type: 7 | 0x8000, to: &out)  // IPSET_ATTR_DATA, nested
      out.patch(UInt32(out.count), at: 0)
      return out.bytes
    }

    private static func append(_ payload: [UInt8], type: UInt16, to out: inout ByteWriter) {
      out.write(UInt16(4 + payload.count))
      out.write(type)
      out.write(payload)
      out.align(4)
    }

    /// Sends a message and waits for the kernel's answer, which it gives before `send` returns.
    /// - Returns: 0 or an error number.
    static func exchange(_ message: [UInt8], _ descriptor: Int32) -> Int32 {
      guard send(descriptor, message, message.count, 0) == message.count else { return errno }
      var answer = [UInt8](repeating: 0, count: 4096)
      let count = recv(descriptor, &answer, answer.count, Int32(MSG_DONTWAIT))
      guard count >= 20 else { return count < 0 ? errno : EPROTO }
      return -answer.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: 16, as: Int32.self) }
    }
  }
}
