import Glibc
import PacketLab

/// Whole Ethernet frames in and out of one device (packet(7)).
final class FrameSocket: Sendable {
  private let descriptor: Int32

  private static let family: Int32 = 17  // AF_PACKET
  private static let allProtocols = UInt16(3).bigEndian  // ETH_P_ALL
  private static let outgoing: UInt8 = 4  // PACKET_OUTGOING

  init(namespace: String, device: String) throws {
    descriptor = try inNamespace(namespace) {
      let descriptor = socket(
        Self.family, Int32(SOCK_RAW.rawValue) | Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue),
        Int32(Self.allProtocols))
      guard descriptor >= 0 else { throw Failure(text: "packet socket: \(errno)") }
      // struct sockaddr_ll
      var address = [UInt8](repeating: 0, count: 20)
      address.withUnsafeMutableBytes {
        $0.storeBytes(of: UInt16(Self.family), as: UInt16.self)
        $0.storeBytes(of: Self.allProtocols, toByteOffset: 2, as: UInt16.self)
        $0.storeBytes(of: if_nametoindex(device), toByteOffset: 4, as: UInt32.self)
      }
      let code = address.withUnsafeBytes {
        bind(descriptor, $0.baseAddress!.assumingMemoryBound(to: sockaddr.self), socklen_t($0.count))
      }
      guard code == 0 else { throw Failure(text: "bind to \(device): \(errno)") }
      return descriptor
    }
  }

  deinit { close(descriptor) }

  struct Failure: Error { let text: String }

  func send(_ frame: [UInt8]) throws {
    guard write(descriptor, frame, frame.count) == frame.count else { throw Failure(text: "sending: \(errno)") }
  }

  /// Whether a frame with this ending comes in within some milliseconds; others are passed over.
  func receives(endingWith ending: [UInt8], within milliseconds: Int32) -> Bool {
    let deadline = ContinuousClock.now + .milliseconds(Int(milliseconds))
    var buffer = [UInt8](repeating: 0, count: 4096)
    repeat {
      while true {
        var address = [UInt8](repeating: 0, count: 20)
        var size = socklen_t(address.count)
        let count = address.withUnsafeMutableBytes {
          recvfrom(
            descriptor, &buffer, buffer.count, 0, $0.baseAddress!.assumingMemoryBound(to: sockaddr.self), &size)
        }
        guard count > 0 else { break }
        if address[10] != Self.outgoing, buffer[..<count].suffix(ending.count).elementsEqual(ending) { return true }
      }
      guard milliseconds > 0 else { return false }
      var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
      poll(&entry, 1, 20)
    } while ContinuousClock.now < deadline
    return false
  }
}
