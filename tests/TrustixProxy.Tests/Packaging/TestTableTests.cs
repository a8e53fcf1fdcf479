using System.Text.RegularExpressions;

namespace TrustixProxy.Tests.Packaging;

/// <summary>Holds the tables of <c>tests/README.md</c> that say which test shows what.</summary>
public sealed partial class TestTableTests
{
    [Fact]
    public void Every_test_that_the_tables_name_is_there()
    {
        var sources = string.Join('\n', Repository.Sources("tests").Select(File.ReadAllText));

        var named = Named.Matches(Repository.Read("tests/README.md"))
            .Select(match => (Class: match.Groups[1].Value, Method: match.Groups[2].Value)).ToList();

        Assert.True(named.Count > 50);
        Assert.All(named, name =>
        {
            Assert.Contains($"class {name.Class}", sources, StringComparison.Ordinal);
            Assert.True(
                name.Method.Length is 0 || sources.Contains($" {name.Method}(", StringComparison.Ordinal), $"{name.Class}.{name.Method}");
        });
    }

    [GeneratedRegex("`(?:[A-Z][A-Za-z]*\\.)?([A-Z][A-Za-z]*(?:Tests|Properties))(?:\\.([A-Z][A-Za-z0-9]*_[A-Za-z_0-9]*))?`")]
    private static partial Regex Named { get; }
}
