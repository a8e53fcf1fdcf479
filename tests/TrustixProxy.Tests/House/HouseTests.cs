namespace TrustixProxy.Tests.House;

/// <summary>A room uses only what stands below it, and nothing grows too large. Each rule is shown a bad example as well.</summary>
public sealed class HouseTests
{
    private static readonly IReadOnlyList<SourceFile> House = SourceFile.All("src");

    [Fact]
    public void Every_file_uses_only_what_stands_below_its_folder() =>
        IsEmpty(House.Where(file => file.Namespace.Length > 0).SelectMany(file => Floors.Faults(file, House)));

    [Fact]
    public void Namespaces_are_folders() => Assert.All(House.Where(file => file.Namespace.Length > 0), file =>
        Assert.Equal(file.Namespace, Path.GetDirectoryName(file.Name)!["src/".Length..].Replace('/', '.')));

    [Theory]
    [InlineData("TrustixProxy.Nars", "using TrustixProxy.Substituter.Decisions;", "uses TrustixProxy.Substituter.Decisions")]
    [InlineData("TrustixProxy.Consensus", "using static TrustixProxy.IO.Storage.Statement;", "uses TrustixProxy.IO.Storage")]
    [InlineData("TrustixProxy.Logs.Client", "using TrustixProxy.Logs.Watching;", "uses TrustixProxy.Logs.Watching")]
    [InlineData("TrustixProxy.Verbs.Serve", "using System;", "uses CommandLine of a namespace above")]
    [InlineData("TrustixProxy.Cellar", "using System;", "has no floor")]
    public void A_using_upward_is_found(string own, string line, string fault)
    {
        var file = new SourceFile(
            "Bad.cs", $"{line}\n\nnamespace {own};\n\ninternal sealed class Bad\n{{\n    private CommandLine _line;\n}}\n");

        Assert.Contains(Floors.Faults(file, House), found => found.Contains(fault, StringComparison.Ordinal));
    }

    [Fact]
    public void No_more_than_five_files_refer_to_each_other_in_a_circle() => IsEmpty(Floors.FileCircles(House, most: 5));

    [Fact]
    public void A_circle_of_six_files_is_found()
    {
        SourceFile[] files = [.. Enumerable.Range(0, 6)
            .Select(i => new SourceFile($"T{i}.cs", $"namespace A;\n\nclass T{i}\n{{\n    T{(i + 1) % 6} next;\n}}\n"))];

        Assert.Single(Floors.FileCircles(files, most: 5));
        Assert.Empty(Floors.FileCircles(files[..5], most: 5));
    }

    [Fact]
    public void No_line_is_wider_than_140_columns() => IsEmpty(
        House.Concat(SourceFile.All("tests")).SelectMany(file => Sizes.WideLines(file.Text).Select(line => $"{file.Name}: {line}")));

    [Fact]
    public void No_constructor_and_no_method_has_more_than_seven_parameters() =>
        IsEmpty(House.SelectMany(file => Sizes.LongParameterLists(file.Text).Select(head => $"{file.Name}: {head}")));

    [Fact]
    public void No_function_has_more_than_60_lines() =>
        IsEmpty(House.SelectMany(file => Sizes.LongFunctions(file.Text).Select(head => $"{file.Name}: {head}")));

    [Fact]
    public void Every_documented_parameter_exists() =>
        IsEmpty(House.Concat(SourceFile.All("tests"))
            .SelectMany(file => Sizes.StrayParameters(file.Text).Select(line => $"{file.Name}: {line}")));

    [Fact]
    public void A_documented_parameter_that_was_renamed_is_found()
    {
        const string text = "/// <param name=\"turn\">One turn.</param>\n/// <remarks>None.</remarks>\n[Data]\nrecord A(\n    int turn);\n";

        Assert.Empty(Sizes.StrayParameters(text));
        Assert.Equal(["line 1: turn"], Sizes.StrayParameters(text.Replace("int turn", "int slot", StringComparison.Ordinal)));
    }

    [Fact]
    public void What_is_too_large_is_found()
    {
        var wide = new string('x', 141);
        Assert.Equal([wide], Sizes.WideLines($"short\n{wide}\nvar raw = \"\"\"\n{wide}\n\"\"\";\n"));
        const string good = "internal sealed class Good(int a, int b, int c, int d, Func<int, int> e, (int, int) f, int g) : IDisposable\n";
        Assert.Empty(Sizes.LongParameterLists(good));
        Assert.Single(Sizes.LongParameterLists(good.Replace("int g", "int g, int h", StringComparison.Ordinal)));
        Assert.Single(
            Sizes.LongParameterLists("    public Bad(\n        int a, int b, int c, int d,\n        int e, int f, int g, int h)\n    {\n"));
        Assert.Empty(Sizes.LongParameterLists("public sealed record Data(int A, int B, int C, int D, int E, int F, int G, int H);\n"));
        var body = string.Concat(Enumerable.Repeat("        Do();\n", 61));
        Assert.Single(Sizes.LongFunctions($"class A\n{{\n    void Long()\n    {{\n{body}    }}\n}}\n"));
        Assert.Empty(Sizes.LongFunctions($"class A\n{{\n    void Long()\n    {{\n{body[14..]}    }}\n}}\n"));
    }

    private static void IsEmpty(IEnumerable<string> faults) => Assert.Equal("", string.Join('\n', faults));
}
