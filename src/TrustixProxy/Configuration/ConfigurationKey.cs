namespace TrustixProxy.Configuration;

/// <summary>A key, as the code that reads it knows it.</summary>
/// <param name="Path">Its full name; <c>[]</c> stands for each member of a list: <c>logs[].name</c>.</param>
/// <param name="Type">What its value is.</param>
/// <param name="Default">What holds without it; null when it has to be there, empty when there is none.</param>
/// <param name="Range">What is allowed; empty when the type says all.</param>
internal sealed record ConfigurationKey(string Path, string Type, string? Default, string Range);

/// <summary>What a key is for: the part that its reader cannot know.</summary>
/// <param name="Meaning">A sentence, in Markdown.</param>
internal sealed record KeyMeaning(string Meaning)
{
    /// <summary>The type, where the reader's is too wide; else null.</summary>
    public string? Type { get; init; }

    /// <summary>The default, where the reader works it out; else null.</summary>
    public string? Default { get; init; }

    /// <summary>The range, where the reader checks it against other keys; else null.</summary>
    public string? Range { get; init; }

    public static implicit operator KeyMeaning(string meaning) => new(meaning);
}
