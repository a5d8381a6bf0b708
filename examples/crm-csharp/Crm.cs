// A CRM beside ctigate that speaks XML: it says who a caller is, and shows forms on pages of its own.
//
//     mcs -langversion:7 -r:System.Json.dll -r:System.Xml.Linq.dll Crm.cs Message.cs WebSocket.cs
//     mono Crm.exe --connect wss://127.0.0.1:4067/ --ca ../../certs/server.pem --pages 127.0.0.1:8091

using System;
using System.Collections.Generic;
using System.IO;
using System.Json;
using System.Linq;
using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.RegularExpressions;
using System.Threading;
using System.Xml.Linq;
using Fields = System.Collections.Generic.Dictionary<string, object>;

static class Crm
{
    const int RetryMs = 2000;
    static readonly TimeSpan Present = TimeSpan.FromSeconds(15); // a manager's page asks every 3 s; silent for longer, he is gone
    static readonly Dictionary<string, string> Options = new Dictionary<string, string>
    {
        { "--connect", "wss://127.0.0.1:4067/" }, { "--login", "crm" }, { "--password", "secret" }, { "--ca", null },
        { "--pages", "127.0.0.1:8091" }, { "--examples", ".." },
    };
    static readonly string[] ClientFields = { "clientid", "name", "manager", "vip" };
    static JsonValue contract, clients;

    // What pages and the link share; whoever touches it holds the lock.
    static readonly object State = new object();
    static readonly Dictionary<string, XElement> Forms = new Dictionary<string, XElement>(); // by formid, as they came
    static readonly Dictionary<string, DateTime> Seen = new Dictionary<string, DateTime>(); // when a manager's page last asked
    static readonly Dictionary<string, SortedDictionary<int, byte[]>> Packets = new Dictionary<string, SortedDictionary<int, byte[]>>();
    static string[] told = { }; // who was there when we last told
    static WebSocket link;

    static void Main(string[] args)
    {
        for (var i = 0; i + 1 < args.Length; i += 2) Options[args[i]] = args[i + 1];
        contract = JsonValue.Parse(File.ReadAllText(Path.Combine(Options["--examples"], "contract.json")));
        clients = JsonValue.Parse(File.ReadAllText(Path.Combine(Options["--examples"], "clients.json")));
        new Thread(Pages) { IsBackground = true }.Start();
        new Timer(_ => TellUsers(null, false), null, 1000, 1000);
        Dial();
    }

    // The link. To restore it is our part, since we dial.

    static void Dial()
    {
        var url = new Uri(Options["--connect"]);
        var given = Options["--ca"] == null ? null : new X509Certificate2(Options["--ca"]);
        string authorization = null;
        for (;;)
        {
            var challenged = authorization == null;
            try
            {
                using (var socket = WebSocket.Dial(url, "xml", given, authorization))
                {
                    authorization = null;
                    lock (State) link = socket;
                    Send("whoareyou", new Fields { { "qid", Guid.NewGuid().ToString() }, { "type", "crm" }, { "name", "C# CRM" }, { "version", "1.0" } });
                    string closed, text;
                    while ((text = socket.Receive(out closed)) != null) Handle(Message.Parse(text));
                    Console.WriteLine("link closed: " + closed);
                }
            }
            catch (Refused refused) when (refused.Status == 401 && challenged && refused.Challenges.Length > 0)
            {
                authorization = Digest(refused.Challenges, url.PathAndQuery);
                continue;
            }
            catch (Exception failure)
            {
                Console.WriteLine("no link: " + failure.Message);
                authorization = null;
            }
            lock (State)
            {
                link = null;
                Packets.Clear();
            }
            Thread.Sleep(RetryMs);
        }
    }

    static void Send(string name, Fields fields)
    {
        Send(Message.Of(name, fields));
    }

    static void Send(XElement message)
    {
        WebSocket socket;
        lock (State) socket = link;
        if (socket != null) socket.Send(Message.Write(message));
    }

    /// Replies and events that we do not use are passed over. The qid goes back as it came.
    static void Handle(XElement message)
    {
        var reply = new Fields();
        if (Message.Field(message, "qid") != null) reply["qid"] = Message.Field(message, "qid");
        switch (Message.Name(message))
        {
            case "multipart":
                Collect(message);
                break;
            case "ping":
                Send(new XElement("message", new XAttribute("name", "pong"), message.Elements("param")));
                break;
            case "whoareyou":
                Send("iam", new Fields(reply) { { "type", "crm" }, { "name", "C# CRM" }, { "version", "1.0" } });
                break;
            case "iam":
                Console.WriteLine("linked with " + Message.Text(message, "name") + " " + Message.Text(message, "version"));
                break;
            case "getavailablemethods":
                Send("availablemethods", new Fields(reply) { { "result", 1 }, { "methods", contract["methods"] } });
                break;
            case "getavailableforms":
                Send("availableforms", new Fields(reply) { { "result", 1 }, { "forms", contract["forms"] } });
                break;
            case "getactiveusers":
                TellUsers(reply, true);
                break;
            case "executemethod":
                reply["executionid"] = Message.Field(message, "executionid");
                Run(Message.Text(message, "name"), Message.Field(message, "inputparameters"), reply);
                Send("methodresult", reply);
                break;
            case "showform":
                lock (State) Forms[Message.Text(message, "formid")] = message;
                Send("showformresult", new Fields(reply) { { "result", 1 } });
                break;
            case "closeform":
                lock (State) Forms.Remove(Message.Text(message, "formid"));
                break;
        }
    }

    /// A long message comes in packets: base64 pieces of its text, numbered from 0.
    static void Collect(XElement packet)
    {
        var id = Message.Text(packet, "message-id");
        if (!Packets.ContainsKey(id)) Packets[id] = new SortedDictionary<int, byte[]>();
        Packets[id][int.Parse(Message.Text(packet, "packetnumber"))] = Convert.FromBase64String(Message.Text(packet, "content"));
        if (Packets[id].Count < int.Parse(Message.Text(packet, "packetcount"))) return;
        var whole = Packets[id].Values.SelectMany(piece => piece).ToArray();
        Packets.Remove(id);
        Handle(Message.Parse(Encoding.UTF8.GetString(whole)));
    }

    static void Run(string method, XElement input, Fields reply)
    {
        reply["result"] = 1;
        if (method == "FindClient")
        {
            var found = clients.Cast<JsonValue>().FirstOrDefault(client => (string)client["phone"] == Message.Text(input, "phone"));
            reply["outputparameters"] = ClientFields.ToDictionary(name => name, name => found != null ? (object)found[name] : name == "vip" ? (object)false : "");
        }
        else if (method == "SaveCall")
        {
            Console.WriteLine("saved: " + Message.Text(input, "phone") + " " + Message.Text(input, "result") + " " + Message.Text(input, "comment"));
            reply["outputparameters"] = new Fields { { "saved", true } };
        }
        else
        {
            reply["result"] = 0;
            reply["error"] = 59001;
            reply["errormsg"] = "Unknown method";
            reply["outputparameters"] = new Fields();
        }
    }

    /// Answers a Digest challenge (RFC 7616) for a GET, SHA-256 rather than MD5.
    static string Digest(string[] challenges, string uri)
    {
        var offers = challenges.Where(line => line.StartsWith("Digest ", StringComparison.OrdinalIgnoreCase))
            .Select(line => Regex.Matches(line, "(\\w+)=\"?([^\",]+)\"?").Cast<Match>().ToDictionary(one => one.Groups[1].Value, one => one.Groups[2].Value)).ToArray();
        var offer = offers.FirstOrDefault(one => one.ContainsKey("algorithm") && one["algorithm"] == "SHA-256") ?? offers[0];
        var sha = offer.ContainsKey("algorithm") && offer["algorithm"] == "SHA-256";
        Func<string, string> h = text =>
        {
            using (var algorithm = sha ? (HashAlgorithm)SHA256.Create() : MD5.Create())
                return string.Concat(algorithm.ComputeHash(Encoding.UTF8.GetBytes(text)).Select(one => one.ToString("x2")));
        };
        var cnonce = Guid.NewGuid().ToString("N");
        var proof = h(h(Options["--login"] + ":" + offer["realm"] + ":" + Options["--password"]) + ":" + offer["nonce"] + ":00000001:" + cnonce + ":auth:" + h("GET:" + uri));
        return "Digest username=\"" + Options["--login"] + "\", realm=\"" + offer["realm"] + "\", nonce=\"" + offer["nonce"] + "\", uri=\"" + uri +
            "\", algorithm=" + (sha ? "SHA-256" : "MD5") + ", qop=auth, nc=00000001, cnonce=\"" + cnonce + "\", response=\"" + proof + "\"";
    }

    /// Whose pages are open: only to these ctigate sends forms by this link. Unasked only when it is news.
    static void TellUsers(Fields reply, bool asked)
    {
        string[] here;
        lock (State)
        {
            here = Seen.Where(one => one.Value > DateTime.UtcNow - Present).Select(one => one.Key).OrderBy(login => login, StringComparer.Ordinal).ToArray();
            if (link == null || !asked && here.SequenceEqual(told)) return;
            told = here;
        }
        var users = here.Select(login => new Fields { { "userlogin", login }, { "userid", "" }, { "type", "page" } });
        try
        {
            Send("activeusers", new Fields(reply ?? new Fields()) { { "users", users.ToArray() } });
        }
        catch (IOException)
        {
            // The link has just ended; the next one asks.
        }
    }

    // The pages: GET /?user=ivanov shows the forms that are open for him, and a POST answers one.

    static void Pages()
    {
        var server = new HttpListener { Prefixes = { "http://" + Options["--pages"] + "/" } };
        server.Start();
        Console.WriteLine("pages on http://" + Options["--pages"] + "/");
        for (;;)
        {
            var context = server.GetContext();
            try
            {
                Serve(context);
            }
            catch (Exception failure)
            {
                Console.WriteLine("page: " + failure.Message);
                context.Response.Abort();
            }
        }
    }

    static void Serve(HttpListenerContext context)
    {
        if (context.Request.HttpMethod == "POST")
        {
            using (var reader = new StreamReader(context.Request.InputStream, Encoding.UTF8))
                Answer(reader.ReadToEnd().Split('&').Select(pair => pair.Split('=')).ToDictionary(pair => pair[0], pair => WebUtility.UrlDecode(pair.Last())));
            context.Response.Redirect(context.Request.Url.PathAndQuery);
            context.Response.StatusCode = 303;
            context.Response.Close();
            return;
        }
        var bytes = Encoding.UTF8.GetBytes(Page(context.Request.QueryString["user"] ?? ""));
        context.Response.ContentType = "text/html; charset=utf-8";
        context.Response.AddHeader("Content-Security-Policy", "default-src 'none'; form-action 'self'");
        context.Response.Close(bytes, false);
    }

    static void Answer(Dictionary<string, string> given)
    {
        XElement form;
        lock (State)
        {
            if (!Forms.TryGetValue(given["formid"], out form)) return; // somebody was first
            Forms.Remove(given["formid"]);
        }
        Send("formresult", new Fields
        {
            { "qid", Guid.NewGuid().ToString() }, { "formid", Message.Field(form, "formid") }, { "userid", Message.Field(form, "userid") },
            { "outputparameters", new Fields { { "resultcode", given["resultcode"] } } }, { "comment", given["comment"] },
        });
    }

    static string Page(string user)
    {
        Func<string, string> text = value => WebUtility.HtmlEncode(value);
        XElement[] open;
        lock (State)
        {
            if (user != "") Seen[user] = DateTime.UtcNow;
            open = Forms.Values.Where(form => Message.Text(form, "userlogin") == user).ToArray();
        }
        var page = new StringBuilder("<!doctype html><meta charset=\"utf-8\"><title>C# CRM</title>");
        // A page that shows a form does not load itself again, so that nobody loses what he typed.
        page.Append(open.Length > 0 ? "" : "<meta http-equiv=\"refresh\" content=\"3\">");
        page.Append("<h1>" + text(user == "" ? "add ?user=login to the address" : user) + "</h1>" + (open.Length > 0 ? "" : "<p>No form is open.</p>"));
        foreach (var form in open)
        {
            var input = Message.Field(form, "inputparameters");
            page.Append("<form method=\"post\"><h2>" + text(Message.Text(form, "name")) + "</h2><dl>");
            foreach (var field in input.Elements("param"))
                page.Append("<dt>" + text(Message.Name(field)) + "</dt><dd>" + text(Message.Text(input, Message.Name(field))) + "</dd>");
            page.Append("</dl><input type=\"hidden\" name=\"formid\" value=\"" + text(Message.Text(form, "formid")) + "\"><input name=\"resultcode\" placeholder=\"result\"> " +
                "<input name=\"comment\" placeholder=\"comment\"> <button>Save</button></form>");
        }
        return page.ToString();
    }
}
