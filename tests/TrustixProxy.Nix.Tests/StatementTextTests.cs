using System.Text;

namespace TrustixProxy.Nix.Tests;

public sealed class StatementTextTests
{
    [Fact]
    public void The_text_is_what_the_references_hook_writes_whatever_the_order_of_references()
    {
        var (a, b) = (Parse("00000000000000000000000000000000-a"), Parse("10000000000000000000000000000000-b"));
        var hash = NixHash.Sha256(new byte[32]);

        Assert.Equal(
            $$"""{"path":"/nix/store/{{a}}","narHash":"{{hash.ToSri()}}","narSize":7,"references":["/nix/store/{{a}}","/nix/store/{{b}}"]}""",
            Encoding.ASCII.GetString(StatementText.Format(a, hash, 7, [b, a, b])));
    }

    [Fact]
    public void Each_spelling_is_another_text_and_the_usual_one_comes_first()
    {
        var path = Parse("00000000000000000000000000000000-a");
        var hash = NixHash.Sha256(new byte[32]);

        var spellings = StatementText.AllSpellings(path, hash, 7, []).Select(Encoding.ASCII.GetString).ToList();

        Assert.Equal(Encoding.ASCII.GetString(StatementText.Format(path, hash, 7, [])), spellings[0]);
        Assert.Equal(4, spellings.Distinct().Count());
        Assert.Equal(2, StatementText.AllSpellings(path, hash, 7, [path]).Count());
    }

    private static StorePath Parse(string text) =>
        StorePath.TryParse(text, out var path, out var error) ? path : throw new ArgumentException(error.ToString());
}
