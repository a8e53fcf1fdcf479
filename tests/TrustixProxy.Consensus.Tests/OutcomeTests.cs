namespace TrustixProxy.Consensus.Tests;

public sealed class OutcomeTests
{
    [Theory]
    [InlineData(Outcome.Agreed, "agreed")]
    [InlineData(Outcome.Excepted, "excepted")]
    [InlineData(Outcome.ContentAddressed, "content-addressed")]
    [InlineData(Outcome.Report, "report")]
    [InlineData(Outcome.Void, "void")]
    [InlineData(Outcome.Conflict, "conflict")]
    [InlineData(Outcome.Undecided, "undecided")]
    [InlineData(Outcome.NoUpstream, "no-upstream")]
    [InlineData(Outcome.Revoked, "revoked")]
    public void Each_outcome_keeps_its_word_and_is_read_back_from_it(Outcome outcome, string word)
    {
        Assert.Equal(word, outcome.Word());
        Assert.True(OutcomeWords.TryParse(word, out var read));
        Assert.Equal(outcome, read);
    }

    [Theory]
    [InlineData("Agreed")]
    [InlineData("agreed ")]
    [InlineData("0")]
    [InlineData("")]
    public void Any_other_word_is_no_outcome(string word) => Assert.False(OutcomeWords.TryParse(word, out _));
}
