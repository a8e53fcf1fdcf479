using System.Globalization;
using Microsoft.Extensions.Configuration;
using static System.FormattableString;

namespace TrustixProxy.Configuration;

/// <summary>What is wrong with a configuration.</summary>
/// <param name="Key">Where: <c>logs[1].publicKey</c>.</param>
/// <param name="Message">What is there, and what has to be.</param>
public sealed record Fault(string Key, string Message)
{
    /// <inheritdoc/>
    public override string ToString() => $"{Key}: {Message}";
}

/// <summary>Reads a part of the configuration key by key. Faults are collected, so that all are shown at once; what is never read is
/// unknown.</summary>
internal sealed class Section
{
    private readonly IConfiguration _values;
    private readonly string _path;
    private readonly List<Fault> _faults;
    private readonly HashSet<string> _read = new(StringComparer.OrdinalIgnoreCase);
    private readonly List<Section> _children = [];
    private readonly List<ConfigurationKey>? _described;

    /// <param name="path">The part's full name; empty for the whole.</param>
    /// <param name="described">Not null when the configuration is read only to learn its keys, which go here: then every object and list is
    /// there, with one empty member.</param>
    public Section(IConfiguration values, List<Fault> faults, string path = "", List<ConfigurationKey>? described = null) =>
        (_values, _faults, _path, _described) = (values, faults, path, described);

    /// <summary>The full name of a key in this section.</summary>
    public string NameOf(string key) => _path.Length is 0 ? key : $"{_path}.{key}";

    public bool Has(string key) => _described is not null || _values.GetSection(key).Exists();

    /// <summary>A value as it stands there, unchecked: whoever uses it reads the key as well.</summary>
    public string? Glimpse(string key) => _values[key];

    /// <summary>Whether the configuration is read only to learn its keys.</summary>
    public bool IsDescribed => _described is not null;

    /// <summary>Tells what is wrong with a variable of the environment that is no key of this configuration.</summary>
    public void FaultOfEnvironment(string variable, string message) => _faults.Add(new Fault(variable, message));

    public void Fault(string key, string message) => _faults.Add(new Fault(NameOf(key), message));

    /// <summary>A text; <paramref name="fallback"/> when the key is not there.</summary>
    public string? Text(string key, string? fallback = null)
    {
        Describe(key, "text", fallback ?? "");
        return Value(key, fallback);
    }

    /// <summary>A text that has to be there.</summary>
    public string Required(string key, string example)
    {
        Describe(key, "text", null);
        var text = Value(key);
        if (text is null && !_values.GetSection(key).Exists())
        {
            Fault(key, $"is missing. Set it, for example to {example}.");
        }

        return text ?? "";
    }

    /// <summary>A text of one line or many that has to be there.</summary>
    public string RequiredLines(string key, string example)
    {
        if (_values.GetSection(key).Value is not { Length: > 0 } text || !text.Trim().AsSpan().ContainsAny('\r', '\n'))
        {
            return Required(key, example);
        }

        _read.Add(key);
        if (!HasControl(text.ReplaceLineEndings(" ")))
        {
            return text;
        }

        Fault(key, "has a control character; remove it.");
        return "";
    }

    public int Integer(string key, int fallback, int min, int max)
    {
        Describe(key, "whole number", Invariant($"{fallback}"), Invariant($"{min} to {max}"));
        var text = Value(key);
        if (text is null)
        {
            return fallback;
        }

        var isGood = int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var value) && value >= min
            && value <= max;
        if (!isGood)
        {
            Fault(key, $"is '{text}'; it must be a whole number from {min} to {max}.");
        }

        return isGood ? value : fallback;
    }

    /// <summary>A number of bytes, at least one: digits, with <c>KiB</c>, <c>MiB</c>, <c>GiB</c> or <c>TiB</c> after them or
    /// nothing.</summary>
    public long Size(string key, string fallback)
    {
        Describe(key, "size", fallback, "1 to 1024TiB");
        var text = Value(key, fallback)!;
        if (ByteSize.TryRead(text, out var size))
        {
            return size;
        }

        Fault(key, $"is '{text}'; it must be {ByteSize.Form}.");
        return 1;
    }

    /// <summary>A length of time, written <c>hh:mm:ss[.fff]</c>.</summary>
    public TimeSpan Time(string key, TimeSpan fallback, TimeSpan min, TimeSpan max)
    {
        Describe(key, "time", Short(fallback), $"{Short(min)} to {Short(max)}");
        var text = Value(key);
        if (text is null)
        {
            return fallback;
        }

        string[] forms = [@"h\:mm\:ss", @"h\:mm\:ss\.FFF", @"hh\:mm\:ss", @"hh\:mm\:ss\.FFF", @"d\.hh\:mm\:ss"];
        var isGood = TimeSpan.TryParseExact(text, forms, CultureInfo.InvariantCulture, out var value) && value >= min && value <= max;
        if (!isGood)
        {
            Fault(key, $"is '{text}'; it must be a time hh:mm:ss[.fff] from {min} to {max}.");
        }

        return isGood ? value : fallback;
    }

    public bool? Flag(string key)
    {
        Describe(key, "true or false", "");
        var text = Value(key);
        if (text is null or "true" or "True" or "false" or "False")
        {
            return text is null ? null : bool.Parse(text);
        }

        Fault(key, $"is '{text}'; it must be true or false.");
        return null;
    }

    /// <summary>One of the members of an enum, written in camelCase.</summary>
    public T Choice<T>(string key, T fallback)
        where T : struct, Enum
    {
        var names = Enum.GetNames<T>().Select(InCamelCase).ToList();
        Describe(key, "text", InCamelCase($"{fallback}"), string.Join(", ", names));
        var text = Value(key);
        var index = text is null ? -1 : names.IndexOf(text);
        if (text is not null && index < 0)
        {
            Fault(key, $"is '{text}'; it must be {string.Join(" or ", names.Select(name => $"\"{name}\""))}.");
        }

        return index < 0 ? fallback : Enum.GetValues<T>()[index];
    }

    /// <summary>A name that stands in answers, messages and records: letters, digits, and <c>- _ .</c> within.</summary>
    public string Name(string key, string? fallback, string example)
    {
        Describe(key, "name", fallback, "letters, digits, `-_.`; at most 64");
        var name = fallback is null ? Required(key, example) : Text(key, fallback)!;
        if (name.Length > 0 && !IsName(name))
        {
            Fault(key, $"is '{name}'; a name has at most 64 letters, digits, '-', '_' and '.' and does not start with '.'.");
        }

        return name;
    }

    /// <summary>A list of texts; <paramref name="fallback"/> when the key is not there.</summary>
    public IReadOnlyList<string> Texts(string key, params string[] fallback) => Texts(key, HasControl, fallback);

    /// <summary>A list of texts, each of one line or many; empty when the key is not there.</summary>
    public IReadOnlyList<string> Paragraphs(string key) =>
        Texts(key, text => HasControl(text?.ReplaceLineEndings(" ").Replace('\t', ' ')), []);

    private string[] Texts(string key, Func<string?, bool> hasControl, string[] fallback)
    {
        _read.Add(key);
        Describe(key, "list of texts", $"[{string.Join(", ", fallback.Select(item => $"\"{item}\""))}]");
        var section = _values.GetSection(key);
        var items = section.GetChildren().ToList();
        if (!string.IsNullOrEmpty(section.Value) || items.Exists(item => item.Value is null))
        {
            Fault(key,
                $"is {(section.Value is null ? "a list of other things" : $"'{section.Value}'")}; it must be a list of texts: [\"…\"].");
            return fallback;
        }

        if (items.Exists(item => item.Value!.Length is 0 || hasControl(item.Value)))
        {
            Fault(key, items.Exists(item => item.Value is "") ? "has '', an empty text; remove it."
                : "has a text with a control character; remove it.");
            return fallback;
        }

        return section.Exists() ? [.. items.Select(item => item.Value!)] : fallback;
    }

    /// <summary>Texts by free names of letters, digits and <c>- _ .</c>; empty when the key is not there.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Map(string key, string range)
    {
        _read.Add(key);
        Describe(key, "object", "{}", range);
        var section = _values.GetSection(key);
        var items = section.GetChildren().ToList();
        if (!string.IsNullOrEmpty(section.Value) || items.Exists(item => !IsName(item.Key) || item.Value is null || !IsName(item.Value)))
        {
            Fault(key, $"is {(section.Value is null ? "no such object" : $"'{section.Value}'")}; it must be an object of names and values, "
                + $"each of at most 64 letters, digits, '-', '_' and '.': {range}.");
            return [];
        }

        return [.. items.Select(item => KeyValuePair.Create(item.Key, item.Value!))];
    }

    /// <summary>A list of objects; empty when the key is not there.</summary>
    public IReadOnlyList<Section> List(string key)
    {
        _read.Add(key);
        var section = _values.GetSection(key);
        if (!string.IsNullOrEmpty(section.Value)
            || section.GetChildren().Any(item => !int.TryParse(item.Key, NumberStyles.None, CultureInfo.InvariantCulture, out _)))
        {
            Fault(key, $"is {(section.Value is null ? "an object" : $"'{section.Value}'")}; it must be a list of objects: [{{…}}].");
            return [];
        }

        if (_described is not null)
        {
            Describe(key, "list of objects", "[]");
            return [new Section(section, _faults, $"{NameOf(key)}[]", _described)];
        }

        var items = section.GetChildren().Select((item, i) => new Section(item, _faults, $"{NameOf(key)}[{i}]")).ToList();
        _children.AddRange(items);
        return items;
    }

    /// <summary>A list of texts and objects, one or the other each; empty when the key is not there.</summary>
    public IReadOnlyList<(string? Text, Section? Object)> Members(string key)
    {
        _read.Add(key);
        Describe(key, "list of names and objects", null);
        var section = _values.GetSection(key);
        if (!string.IsNullOrEmpty(section.Value)
            || section.GetChildren().Any(item => !int.TryParse(item.Key, NumberStyles.None, CultureInfo.InvariantCulture, out _)))
        {
            Fault(key, $"is {(section.Value is null ? "an object" : $"'{section.Value}'")}; it must be a list of names and objects.");
            return [];
        }

        var members = section.GetChildren().Select((item, i) => item.Value is null
            ? (default(string), new Section(item, _faults, $"{NameOf(key)}[{i}]")) : (item.Value, null)).ToList();
        _children.AddRange(members.Select(member => member.Item2).OfType<Section>());
        return members;
    }

    /// <summary>An object; an empty one when the key is not there.</summary>
    public Section Object(string key)
    {
        _read.Add(key);
        if (_values.GetSection(key).Value is { } value)
        {
            Fault(key, $"is '{value}'; it must be an object: {{…}}.");
        }

        var child = new Section(_values.GetSection(key), _faults, NameOf(key), _described);
        _children.Add(child);
        return child;
    }

    /// <summary>Finds the keys that nothing has read, here and below.</summary>
    public void RefuseUnknown()
    {
        foreach (var child in _values.GetChildren().Where(child => !_read.Contains(child.Key)))
        {
            var near = _read.Where(known => Distance(known, child.Key) <= 2).MinBy(known => Distance(known, child.Key));
            Fault(child.Key, $"is not a key of this configuration{(near is null ? "" : $"; '{near}' is")}. Known here: "
                + $"{string.Join(", ", _read.Order(StringComparer.Ordinal))}.");
        }

        _children.ForEach(child => child.RefuseUnknown());
    }

    /// <summary>The value of a key as it stands there.</summary>
    private string? Value(string key, string? fallback = null)
    {
        _read.Add(key);
        var section = _values.GetSection(key);
        if (section.Value is null && section.GetChildren().Any())
        {
            Fault(key, "is a list or an object; it must be one value.");
            return fallback;
        }

        if (HasControl(section.Value))
        {
            Fault(key, "has a control character; remove it.");
            return fallback;
        }

        if (section.Value is "")
        {
            Fault(key, "is empty; remove the key, or give it a value.");
            return fallback;
        }

        return section.Value ?? fallback;
    }

    /// <summary>Whether no path, name or address can be meant; white space at an end may be.</summary>
    private static bool HasControl(string? text) => text?.Trim().Any(char.IsControl) is true;

    private static bool IsName(string text) => text.Length is > 0 and <= 64 && !text.StartsWith('.')
        && text.All(character => char.IsAsciiLetterOrDigit(character) || character is '-' or '_' or '.');

    private void Describe(string key, string type, string? fallback, string range = "")
    {
        if (_described?.Exists(known => known.Path == NameOf(key)) is false)
        {
            _described.Add(new ConfigurationKey(NameOf(key), type, fallback, range));
        }
    }

    private static string Short(TimeSpan time) => time.ToString("c")[..^(time.Milliseconds is 0 ? 0 : 4)];

    private static string InCamelCase(string name) => char.ToLowerInvariant(name[0]) + name[1..];

    /// <summary>How many letters have to be changed to make one word of the other.</summary>
    private static int Distance(string a, string b)
    {
        var row = Enumerable.Range(0, b.Length + 1).ToArray();
        for (var i = 1; i <= a.Length; i++)
        {
            var (diagonal, left) = (row[0], row[0] = i);
            for (var j = 1; j <= b.Length; j++)
            {
                var cost = char.ToLowerInvariant(a[i - 1]) == char.ToLowerInvariant(b[j - 1]) ? 0 : 1;
                left = Math.Min(Math.Min(left, row[j]) + 1, diagonal + cost);
                (diagonal, row[j]) = (row[j], left);
            }
        }

        return row[b.Length];
    }
}
