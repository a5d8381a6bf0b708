// Messages as XML: elements `param` with a name and a type, in an element `message`. Needs no library that .NET does not bring.

using System;
using System.Collections;
using System.Collections.Generic;
using System.IO;
using System.Json;
using System.Linq;
using System.Text;
using System.Xml;
using System.Xml.Linq;

static class Message
{
    /// A message with these fields: texts, booleans, numbers, what JSON holds, lists, dictionaries, or elements as they came.
    public static XElement Of(string name, Dictionary<string, object> fields)
    {
        return new XElement("message", new XAttribute("name", name), Fields(fields));
    }

    public static XElement Parse(string text)
    {
        var settings = new XmlReaderSettings { DtdProcessing = DtdProcessing.Prohibit };
        using (var reader = XmlReader.Create(new StringReader(text), settings)) return XElement.Load(reader, LoadOptions.PreserveWhitespace);
    }

    public static string Write(XElement message)
    {
        return message.ToString(SaveOptions.DisableFormatting);
    }

    public static string Name(XElement message)
    {
        return (string)message.Attribute("name") ?? "";
    }

    /// The field of a message or an object, as it came; null when it is not there.
    public static XElement Field(XElement of, string name)
    {
        return of == null ? null : of.Elements("param").FirstOrDefault(param => (string)param.Attribute("name") == name);
    }

    /// The text of a field; empty when it is not there.
    public static string Text(XElement of, string name)
    {
        var field = Field(of, name);
        if (field == null) return "";
        return (string)field.Attribute("encoding") == "base64" ? Encoding.UTF8.GetString(Convert.FromBase64String(field.Value)) : field.Value;
    }

    static IEnumerable<XElement> Fields(IEnumerable<KeyValuePair<string, object>> fields)
    {
        foreach (var field in fields)
        {
            if (field.Value is XElement) yield return (XElement)field.Value;
            else yield return Filled(new XElement("param", new XAttribute("name", field.Key)), field.Value);
        }
    }

    static XElement Filled(XElement element, object value)
    {
        var plain = value as JsonPrimitive;
        if (plain != null)
        {
            if (plain.JsonType == JsonType.Boolean) value = (bool)plain;
            else if (plain.JsonType == JsonType.String) value = (string)plain;
            else value = (int)plain;
        }
        if (value is string) return Written(element, (string)value);
        if (value == null) element.SetAttributeValue("type", "null");
        else if (value is bool) Typed(element, "bool", (bool)value ? "true" : "false");
        else if (value is int) Typed(element, "int", value);
        else if (value is JsonObject) Typed(element, "object", Fields(((JsonObject)value).ToDictionary(one => one.Key, one => (object)one.Value)));
        else if (value is Dictionary<string, object>) Typed(element, "object", Fields((Dictionary<string, object>)value));
        else Typed(element, "array", ((IEnumerable)value).Cast<object>().Select(item => Filled(new XElement("item"), item)));
        return element;
    }

    static void Typed(XElement element, string type, object content)
    {
        element.SetAttributeValue("type", type);
        element.Add(content);
    }

    /// What XML cannot hold goes as base64.
    static XElement Written(XElement element, string text)
    {
        if (text.All(letter => letter != '\r' && (XmlConvert.IsXmlChar(letter) || char.IsSurrogate(letter)))) element.Value = text;
        else
        {
            element.SetAttributeValue("encoding", "base64");
            element.Value = Convert.ToBase64String(Encoding.UTF8.GetBytes(text));
        }
        return element;
    }
}
