// Runs Argo CD's plugin server on a repository, in one process:
//
//	argo-cd FOLDER REPOSITORY APPLICATION [NAME=VALUE…]
//
// FOLDER contains plugin.yaml, REPOSITORY is the checkout, and APPLICATION is a path below it. The last arguments are
// the variables that Argo CD sets. It prints `discovered: true|false`, and then each manifest as JSON on a line.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/argoproj/argo-cd/v3/cmpserver/apiclient"
	"github.com/argoproj/argo-cd/v3/cmpserver/plugin"
	"github.com/argoproj/argo-cd/v3/common"
	"github.com/argoproj/argo-cd/v3/util/cmp"
	"google.golang.org/grpc"
)

// stream carries a repository from the sender, which acts as the repo server, to the plugin server.
type stream[Response any] struct {
	grpc.ServerStream
	requests chan *apiclient.AppStreamRequest
	response Response
}

func (s *stream[Response]) Context() context.Context { return context.Background() }

// Send copies the request, because the sender uses its buffer again.
func (s *stream[Response]) Send(request *apiclient.AppStreamRequest) error {
	data, err := request.Marshal()
	if err != nil {
		return err
	}
	copied := &apiclient.AppStreamRequest{}
	if err := copied.Unmarshal(data); err != nil {
		return err
	}
	s.requests <- copied
	return nil
}

func (s *stream[Response]) Recv() (*apiclient.AppStreamRequest, error) {
	if request, ok := <-s.requests; ok {
		return request, nil
	}
	return nil, io.EOF
}

func (s *stream[Response]) SendAndClose(response Response) error {
	s.response = response
	return nil
}

// call sends the repository to a method of the plugin server and returns its response.
func call[Response any](repository, application string, env []string, method func(*stream[Response]) error) Response {
	s := &stream[Response]{requests: make(chan *apiclient.AppStreamRequest, 1024)}
	check(cmp.SendRepoStream(s.Context(), application, repository, s, env, nil))
	close(s.requests)
	check(method(s))
	return s.response
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func main() {
	folder, application, env := os.Args[1], os.Args[3], os.Args[4:]
	repository, err := filepath.Abs(os.Args[2])
	check(err)
	config, err := plugin.ReadPluginConfig(folder)
	check(err)
	check(plugin.ValidatePluginConfig(*config))
	server := plugin.NewService(plugin.CMPServerInitConstants{PluginConfig: *config})
	check(server.Init(common.GetCMPWorkDir()))
	application = filepath.Join(repository, application)
	matched := call(repository, application, env, func(s *stream[*apiclient.RepositoryResponse]) error {
		return server.MatchRepository(s)
	})
	fmt.Println("discovered:", matched.IsSupported)
	generated := call(repository, application, env, func(s *stream[*apiclient.ManifestResponse]) error {
		return server.GenerateManifest(s)
	})
	for _, manifest := range generated.Manifests {
		fmt.Println(manifest)
	}
}
