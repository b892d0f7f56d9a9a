import Glibc
import Synchronization

/// Stands for every server program of a machine: takes connections and packets in a namespace and sends back what it
/// gets, on a thread of its own, until it goes away.
public final class Responder: Sendable {
  private let stop: Int32
  private let thread: pthread_t

  /// Listens for both families, on every address. When this returns all services answer.
  public init(namespace: String, _ services: [Service]) throws {
    let loop = try inNamespace(namespace) { try Loop(services) }
    var ends: [Int32] = [0, 0]
    guard pipe(&ends) == 0 else { throw LabError.system("pipe") }
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    loop.stop = ends[0]
    stop = ends[1]
    var thread = pthread_t()
    let code = pthread_create(
      &thread, nil,
      { context in
        Unmanaged<Loop>.fromOpaque(context!).takeRetainedValue().run()
        return nil
      }, Unmanaged.passRetained(loop).toOpaque())
    guard code == 0 else { throw LabError.system("thread", code) }
    self.thread = thread
  }

  deinit {
    // A byte, for a child of this process may hold the pipe open.
    write(stop, [1], 1)
    close(stop)
    pthread_join(thread, nil)
  }
}

/// One poll over all sockets; its thread alone touches it once it runs.
private final class Loop {
  private enum Role {
    case listening
    case connection
    case datagrams
    case packets
  }

  var stop: Int32 = -1
  private var sockets: [(socket: Socket, role: Role)] = []

  init(_ services: [Service]) throws {
    for service in services {
      for family in [AF_INET, AF_INET6] {
        do {
          if let entry = try Self.open(service, family) { sockets.append(entry) }
        } catch  where family == AF_INET6 && errno == EAFNOSUPPORT {
          continue
        }
      }
    }
  }

  deinit { if stop >= 0 { close(stop) } }

  private static func open(_ service: Service, _ family: Int32) throws -> (Socket, Role)? {
    switch service {
    case .tcp(let port):
      let socket = try bound(Socket(family, .stream), port)
      guard listen(socket.descriptor, 32) == 0 else { throw LabError.system("listen") }
      return (socket, .listening)
    case .udp(let port): return (try bound(Socket(family, .datagram), port), .datagrams)
    case .ip(let number): return (try Socket(family, .raw, proto: Int32(number)), .packets)
    case .ping: return nil
    }
  }

  private static func bound(_ socket: Socket, _ port: UInt16) throws -> Socket {
    // IPV6_V6ONLY: the other socket has IPv4.
    if socket.family == AF_INET6 { socket.set(41, 26, 1) }
    try socket.bind(.any(socket.family, port: port))
    return socket
  }

  func run() {
    while true {
      var entries = [pollfd(fd: stop, events: Int16(POLLIN), revents: 0)]
      entries += sockets.map { pollfd(fd: $0.socket.descriptor, events: Int16(POLLIN), revents: 0) }
      guard poll(&entries, nfds_t(entries.count), -1) >= 0 || errno == EINTR else { return }
      if entries[0].revents != 0 { return }
      for index in sockets.indices.reversed() where entries[index + 1].revents != 0 { serve(index) }
    }
  }

  private func serve(_ index: Int) {
    let (socket, role) = sockets[index]
    switch role {
    case .listening:
      let connection = accept(socket.descriptor, nil, nil)
      if connection >= 0 { sockets.append((Socket(accepted: connection, socket.family), .connection)) }
    case .connection:
      guard let bytes = socket.receive(), !bytes.isEmpty, socket.send(bytes) == 0 else {
        sockets.remove(at: index)
        return
      }
    case .datagrams, .packets: echo(socket, hasHeader: role == .packets && socket.family == AF_INET)
    }
  }

  /// Sends a packet's content back to whom it came from.
  private func echo(_ socket: Socket, hasHeader: Bool) {
    var buffer = [UInt8](repeating: 0, count: 2048)
    var sender = sockaddr_storage()
    withUnsafeMutableBytes(of: &sender) { sender in
      let address = sender.baseAddress!.assumingMemoryBound(to: sockaddr.self)
      var size = socklen_t(sender.count)
      let count = recvfrom(socket.descriptor, &buffer, buffer.count, 0, address, &size)
      guard count > 0 else { return }
      let content = Array(buffer[..<count].dropFirst(hasHeader ? Int(buffer[0] % 16) * 4 : 0))
      _ = sendto(socket.descriptor, content, content.count, 0, address, size)
    }
  }
}
