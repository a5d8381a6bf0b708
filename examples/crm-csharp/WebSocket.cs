// A WebSocket as a client (RFC 6455), whole messages of text in and out. .NET has one of its own, ClientWebSocket; this one
// shows the challenges of a 401, which Digest answers, and trusts a given certificate for this connection alone.

using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;

/// The server did not want a WebSocket: its status, and the challenges of a 401.
sealed class Refused : Exception
{
    public readonly int Status;
    public readonly string[] Challenges;

    public Refused(int status, string[] challenges) : base("the gateway answers " + status)
    {
        Status = status;
        Challenges = challenges;
    }
}

sealed class WebSocket : IDisposable
{
    const int LargestMessage = 16 << 20;
    const int SilentMs = 60000; // the gateway pings every 20 s
    const int Text = 1, Close = 8, Ping = 9, Pong = 10;

    readonly TcpClient tcp;
    readonly Stream output, input;
    readonly object sending = new object();

    WebSocket(TcpClient tcp, Stream stream)
    {
        this.tcp = tcp;
        output = stream;
        input = new BufferedStream(stream);
    }

    public static WebSocket Dial(Uri url, string protocol, X509Certificate2 given, string authorization)
    {
        var secure = url.Scheme == "wss";
        var port = url.Port > 0 ? url.Port : secure ? 443 : 80;
        var tcp = new TcpClient(url.Host, port) { NoDelay = true, ReceiveTimeout = SilentMs, SendTimeout = SilentMs };
        try
        {
            Stream stream = tcp.GetStream();
            if (secure)
            {
                var tls = new SslStream(stream, false, (_, shown, chain, errors) => Trusted(shown, errors, given));
                tls.AuthenticateAsClient(url.Host, null, SslProtocols.Tls12, false);
                stream = tls;
            }
            var socket = new WebSocket(tcp, stream);
            socket.Upgrade(url, port, protocol, authorization);
            return socket;
        }
        catch
        {
            tcp.Close();
            throw;
        }
    }

    /// The given certificate itself, such as the one that a gateway made; without one, what the system says.
    static bool Trusted(X509Certificate shown, SslPolicyErrors errors, X509Certificate2 given)
    {
        return given == null ? errors == SslPolicyErrors.None : shown.GetRawCertData().SequenceEqual(given.RawData);
    }

    void Upgrade(Uri url, int port, string protocol, string authorization)
    {
        var key = Convert.ToBase64String(Random(16));
        var head = "GET " + url.PathAndQuery + " HTTP/1.1\r\nHost: " + url.Host + ":" + port + "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + key + "\r\nSec-WebSocket-Protocol: " + protocol + "\r\n" +
            (authorization == null ? "" : "Authorization: " + authorization + "\r\n") + "\r\n";
        Write(Encoding.UTF8.GetBytes(head));

        var status = int.Parse(Line().Split(' ')[1]);
        var fields = new List<KeyValuePair<string, string>>();
        for (string line; (line = Line()) != "";)
        {
            var colon = line.IndexOf(':');
            fields.Add(new KeyValuePair<string, string>(line.Substring(0, colon).ToLowerInvariant(), line.Substring(colon + 1).Trim()));
        }
        var said = fields.ToLookup(field => field.Key, field => field.Value);
        if (status != 101) throw new Refused(status, said["www-authenticate"].ToArray());
        var accepted = Convert.ToBase64String(SHA1.Create().ComputeHash(Encoding.ASCII.GetBytes(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")));
        if (said["sec-websocket-accept"].SingleOrDefault() != accepted) throw new IOException("that is no WebSocket");
    }

    /// The next message; null when the connection has ended, and `closed` says why.
    public string Receive(out string closed)
    {
        var message = new MemoryStream();
        for (;;)
        {
            var head = Read(2);
            long length = head[1] & 127;
            if (length == 126) length = Read(2).Aggregate(0L, (sum, digit) => sum << 8 | digit);
            else if (length == 127) length = Read(8).Aggregate(0L, (sum, digit) => sum << 8 | digit);
            if (length < 0 || message.Length + length > LargestMessage) throw new IOException("a message is too large");
            var body = Read((int)length);
            switch (head[0] & 15)
            {
                case Close:
                    closed = body.Length > 2 ? Encoding.UTF8.GetString(body, 2, body.Length - 2) : "";
                    Frame(Close, body.Take(2).ToArray());
                    return null;
                case Ping:
                    Frame(Pong, body);
                    break;
                case Pong:
                    break;
                default: // a text, or the next piece of one
                    message.Write(body, 0, body.Length);
                    if ((head[0] & 128) == 0) break;
                    closed = null;
                    return Encoding.UTF8.GetString(message.ToArray());
            }
        }
    }

    public void Send(string text)
    {
        Frame(Text, Encoding.UTF8.GetBytes(text));
    }

    /// One frame, masked as a client must.
    void Frame(int kind, byte[] body)
    {
        var frame = new MemoryStream();
        frame.WriteByte((byte)(128 | kind));
        var bytes = body.Length < 126 ? 0 : body.Length < 65536 ? 2 : 8;
        frame.WriteByte((byte)(128 | (bytes == 0 ? body.Length : bytes == 2 ? 126 : 127)));
        for (var i = bytes - 1; i >= 0; i--) frame.WriteByte((byte)((long)body.Length >> 8 * i));
        var mask = Random(4);
        frame.Write(mask, 0, 4);
        for (var i = 0; i < body.Length; i++) frame.WriteByte((byte)(body[i] ^ mask[i % 4]));
        Write(frame.ToArray());
    }

    void Write(byte[] bytes)
    {
        lock (sending)
        {
            output.Write(bytes, 0, bytes.Length);
            output.Flush();
        }
    }

    byte[] Read(int count)
    {
        var bytes = new byte[count];
        for (int at = 0, got; at < count; at += got)
        {
            got = input.Read(bytes, at, count - at);
            if (got == 0) throw new EndOfStreamException("the connection was cut");
        }
        return bytes;
    }

    string Line()
    {
        var line = new StringBuilder();
        for (int letter; (letter = Read(1)[0]) != '\n';)
        {
            if (line.Length > 8192) throw new IOException("that is no HTTP");
            if (letter != '\r') line.Append((char)letter);
        }
        return line.ToString();
    }

    static byte[] Random(int count)
    {
        var bytes = new byte[count];
        using (var random = RandomNumberGenerator.Create()) random.GetBytes(bytes);
        return bytes;
    }

    public void Dispose()
    {
        tcp.Close();
    }
}
