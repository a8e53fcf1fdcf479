using System.Text.Encodings.Web;
using System.Text.Json;
using TrustixProxy.Nars.Comparison;
using TrustixProxy.Nix;

namespace TrustixProxy.Verbs.Inspect;

/// <summary>One JSON object, written while the comparison goes on. It is whole after a fault, too, and names it then.</summary>
internal sealed class DiffJson(Utf8JsonWriter json) : DiffReport
{
    /// <summary>How it is written.</summary>
    public static JsonWriterOptions Form { get; } = new() { Indented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public override void Begin(StorePath path, NarSource a, NarSource b)
    {
        json.WriteStartObject();
        json.WriteString("path", path.Absolute);
        WriteSource("a", a);
        WriteSource("b", b);
        json.WriteStartArray("differences");
    }

    public override void Tell(NarDifference difference)
    {
        json.WriteStartObject();
        json.WriteString("path", difference.Path);
        json.WriteString("change", DiffText.Word(difference.Change));
        WriteNode("a", difference.A);
        WriteNode("b", difference.B);
        if (difference.Contents is { } contents)
        {
            WriteContents(contents);
        }

        json.WriteEndObject();
        json.Flush();
    }

    public override void End(ComparisonResult? result, string? fault)
    {
        json.WriteEndArray();
        if (result is not null)
        {
            json.WriteNumber("removed", result.Removed);
            json.WriteNumber("added", result.Added);
            json.WriteNumber("changed", result.Changed);
            json.WriteNumber("same", result.Same);
        }

        json.WriteString("outcome", fault is not null ? "unknown" : result is null or { IsSame: true } ? "same" : "different");
        if (fault is not null)
        {
            json.WriteString("fault", fault);
        }

        json.WriteEndObject();
        json.Flush();
        Console.WriteLine();
    }

    private void WriteSource(string name, NarSource source)
    {
        json.WriteStartObject(name);
        json.WriteString("name", source.Name);
        if (source is { NarHash: { } hash, NarSize: { } size })
        {
            json.WriteString("narHash", hash.ToString());
            json.WriteNumber("narSize", size);
        }

        json.WriteEndObject();
    }

    private void WriteNode(string name, NarNode? node)
    {
        if (node is null)
        {
            json.WriteNull(name);
            return;
        }

        json.WriteStartObject(name);
        switch (node.Kind)
        {
            case NarNodeKind.Directory:
                json.WriteString("type", "directory");
                break;
            case NarNodeKind.Symlink:
                json.WriteString("type", "symlink");
                json.WriteString("target", node.Target);
                break;
            default:
                json.WriteString("type", "regular");
                json.WriteNumber("size", node.Size);
                json.WriteBoolean("executable", node.IsExecutable);
                break;
        }

        json.WriteEndObject();
    }

    private void WriteContents(ContentDifference contents)
    {
        json.WriteStartObject("contents");
        json.WriteNumber("first", contents.First);
        json.WriteNumber("bytes", contents.Bytes);
        json.WriteNumber("windowStart", contents.WindowStart);
        json.WriteString("windowA", Convert.ToHexStringLower(contents.WindowA));
        json.WriteString("windowB", Convert.ToHexStringLower(contents.WindowB));
        if (contents.Lines is { } lines)
        {
            WriteArray("lines", lines, json.WriteStringValue);
        }

        WriteArray("onlyInA", contents.OnlyInA, WriteTrace);
        WriteArray("onlyInB", contents.OnlyInB, WriteTrace);
        json.WriteEndObject();
    }

    private void WriteTrace(Trace trace)
    {
        json.WriteStartObject();
        json.WriteString("kind", DiffText.Word(trace.Kind));
        json.WriteString("text", trace.Text);
        json.WriteEndObject();
    }

    private void WriteArray<T>(string name, IEnumerable<T> items, Action<T> write)
    {
        json.WriteStartArray(name);
        foreach (var item in items)
        {
            write(item);
        }

        json.WriteEndArray();
    }
}
