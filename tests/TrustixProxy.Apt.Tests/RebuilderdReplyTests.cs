using System.Text;
using static TrustixProxy.Apt.Tests.Make;

namespace TrustixProxy.Apt.Tests;

/// <summary>Answers of real instances, and odd ones.</summary>
public sealed class RebuilderdReplyTests
{
    [Theory]
    [InlineData("a-hello", "hello_2.12.3-1_amd64.deb", RebuildStatus.Good, 3, 3)]
    [InlineData("b-hello", "hello_2.12.3-1_amd64.deb", RebuildStatus.Good, 1, 1)]
    [InlineData("a-sl", "sl_5.02-1+b1_amd64.deb", RebuildStatus.Good, 1, 1)]
    [InlineData("b-sl", "sl_5.02-1+b1_amd64.deb", RebuildStatus.Bad, null, null)]
    [InlineData("a-hello", "hello_2.12.3-1_arm64.deb", RebuildStatus.Unknown, null, null)]
    [InlineData("a-hello", "hello_2.12.3-2_amd64.deb", RebuildStatus.Unknown, null, null)]
    [InlineData("a-hello", "sl_2.12.3-1_amd64.deb", RebuildStatus.Unknown, null, null)]
    public void A_real_answer_has_the_status_of_the_file(string name, string fileName, RebuildStatus status, int? build, int? artifact)
    {
        var json = File.ReadAllBytes($"Vectors/rebuilderd/{name}-packages-binary.json");

        Assert.True(RebuilderdReply.TryReadPackages(json, FileOf(fileName), out var found));
        Assert.Equal(new RebuilderdStatus(status, build, artifact), found);
    }

    [Fact]
    public void The_best_of_several_records_counts_and_an_epoch_is_left_out()
    {
        string[] records = [Record("UNKWN", "null"), Record("BAD", "1"), Record("GOOD", "2"), Record("GOOD", "null")];
        var json = $$"""{"total":4,"records":[{{string.Join(',', records)}}]}""";

        Assert.True(RebuilderdReply.TryReadPackages(Encoding.UTF8.GetBytes(json), FileOf("g++_14.2_amd64.deb"), out var found));
        Assert.Equal(new RebuilderdStatus(RebuildStatus.Good, 2, 7), found);
    }

    [Theory]
    [InlineData("""{"total":0,"records":[]}""", true)]
    [InlineData("""{"records":[1,null,{},{"name":1}]}""", true)]
    [InlineData("""{"records":{}}""", false)]
    [InlineData("[]", false)]
    [InlineData("<html>", false)]
    [InlineData("""{"records":[{"name":"\ud800"}]}""", false)]
    public void What_is_no_answer_of_rebuilderd_is_told_apart(string json, bool isAnswer)
    {
        var isRead = RebuilderdReply.TryReadPackages(Encoding.UTF8.GetBytes(json), FileOf("g++_14.2_amd64.deb"), out var found);

        Assert.Equal((isAnswer, isAnswer ? RebuildStatus.Unknown : (RebuildStatus?)null), (isRead, found?.Status));
    }

    [Theory]
    [InlineData("""{"current":[]}""")]
    [InlineData("""{"current":["x"]}""")]
    [InlineData("""{"current":[1]}""")]
    [InlineData("{}")]
    public void Keys_are_read_all_or_not_at_all(string json) =>
        Assert.False(RebuilderdReply.TryReadKeys(Encoding.UTF8.GetBytes(json), out _));

    private static string Record(string status, string build) =>
        $$"""{"name":"g++","version":"4:14.2","architecture":"amd64","status":"{{status}}","build_id":{{build}},"artifact_id":7}""";
}
