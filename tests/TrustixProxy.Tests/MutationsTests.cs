using System.Text.RegularExpressions;

namespace TrustixProxy.Tests;

/// <summary>The list of faults that <c>tests/Mutations/run</c> puts into the trust core stays true of the sources.</summary>
public sealed partial class MutationsTests
{
    [Fact]
    public void Each_listed_fault_finds_its_text_once_and_its_test()
    {
        var faults = Fault.Matches(Repository.Read("tests/Mutations/mutations.txt"));

        Assert.InRange(faults.Count, 20, 200);
        Assert.All(faults, fault =>
        {
            var (file, suite, type, method, old) = (
                fault.Groups[1].Value, fault.Groups[2].Value, fault.Groups[3].Value, fault.Groups[4].Value, fault.Groups[5].Value);
            Assert.Equal(2, Repository.Read($"src/{file}").Split(old).Length);
            Assert.Contains(Repository.Sources($"tests/TrustixProxy.{suite}.Tests"), source => Path.GetFileName(source) == $"{type}.cs"
                && File.ReadAllText(source).Contains($" {method}(", StringComparison.Ordinal));
        });
    }

    [GeneratedRegex("^file: (.+)\ntest: (.+) (.+)\\.(.+)\n-(.+)\n\\+.*$", RegexOptions.Multiline)]
    private static partial Regex Fault { get; }
}
